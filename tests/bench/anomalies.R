# anomalies.R METHOD PERIODS IN OUT: what others flag in the series of IN (id,t,y), written to OUT
# (id,t of each flagged step). METHOD is tsoutliers (package forecast) or prophet (its 99 % interval);
# PERIODS is 7 or 24,168.
suppressPackageStartupMessages(library(forecast))
args <- commandArgs(trailingOnly = TRUE)
method <- args[1]
periods <- as.numeric(strsplit(args[2], ",")[[1]])
series <- read.csv(args[3], colClasses = c("character", "numeric", "numeric"))

flag_tsoutliers <- function(y) {
	x <- if (length(periods) > 1) msts(y, seasonal.periods = periods) else ts(y, frequency = periods)
	tsoutliers(x)$index
}

flag_prophet <- function(y) {
	hourly <- length(periods) > 1
	step <- if (hourly) 3600 else 86400
	ds <- as.POSIXct("2019-01-07", tz = "UTC") + step * (seq_along(y) - 1)
	frame <- data.frame(ds = ds, y = y)
	set.seed(1)
	fit <- suppressMessages(prophet::prophet(frame, interval.width = 0.99, daily.seasonality = hourly,
		weekly.seasonality = TRUE, yearly.seasonality = length(y) * step > 2 * 365 * 86400))
	said <- predict(fit, frame)
	which(y < said$yhat_lower | y > said$yhat_upper)
}

flagged <- lapply(split(series, factor(series$id, levels = unique(series$id))), function(one) {
	at <- if (method == "prophet") flag_prophet(one$y) else flag_tsoutliers(one$y)
	if (length(at)) data.frame(id = one$id[1], t = one$t[at])
})
flagged <- do.call(rbind, flagged)
if (is.null(flagged)) flagged <- data.frame(id = character(), t = numeric())
write.csv(flagged, args[4], row.names = FALSE, quote = FALSE)
