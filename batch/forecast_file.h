/* forecast_file.h: how the jobs that need no settings are called. */
#ifndef TAKINGS_BATCH_FORECAST_FILE_H
#define TAKINGS_BATCH_FORECAST_FILE_H

#define FORECAST_FILE_USAGE                                                                        \
	"forecast --input FILE --horizon N [--period N[,N]] [--holidays FILE] [--threads N]\n"         \
	"       [--output FILE]"

#define ANOMALY_FILE_USAGE                                                                         \
	"anomalies --input FILE [--period N[,N]] [--holidays FILE] [--sensitivity 0.95]\n"             \
	"       [--window N] [--threads N] [--output FILE]"

#endif
