# forecast_r.R TRAIN METHODS H M1 M2 START OUT: what R's forecast package and Prophet say of the series in
# TRAIN (id,t,y). Writes id,method,step,point,lo80,hi80,lo95,hi95 to OUT, and id,method,cpu_ms to OUT.ms.
#
# START is the time of the first value, for Prophet. Where no value is below 0, no forecast is, of any method.
suppressPackageStartupMessages(library(forecast))
options(warn = -1)

args <- commandArgs(trailingOnly = TRUE)
train <- read.csv(args[1], colClasses = c(id = "character", t = "integer", y = "numeric"))
methods <- strsplit(args[2], ",")[[1]]
h <- as.integer(args[3])
m1 <- as.integer(args[4])
m2 <- as.integer(args[5])
start <- as.POSIXct(args[6], tz = "UTC")
out <- args[7]
step_s <- if (m1 == 24) 3600 else 86400

of_package <- function(f) cbind(f$mean, f$lower[, 1], f$upper[, 1], f$lower[, 2], f$upper[, 2])

answers <- list(
	ets = function(y) of_package(forecast(ets(ts(y, frequency = m1)), h = h, level = c(80, 95))),
	thetaf = function(y) of_package(thetaf(ts(y, frequency = m1), h = h, level = c(80, 95))),
	snaive = function(y) of_package(snaive(ts(y, frequency = m1), h = h, level = c(80, 95))),
	stlf = function(y) {
		x <- if (m2 > 0) msts(y, seasonal.periods = c(m1, m2)) else ts(y, frequency = m1)
		of_package(stlf(x, h = h, level = c(80, 95)))
	},
	prophet = function(y) {
		n <- length(y)
		known <- data.frame(ds = start + (seq_len(n) - 1) * step_s, y = y)
		coming <- data.frame(ds = start + (n + seq_len(h) - 1) * step_s)
		set.seed(1)
		model <- prophet::prophet(known, interval.width = 0.95)
		p <- predict(model, coming)
		half <- (p$yhat_upper - p$yhat_lower) / 2 * qnorm(0.9) / qnorm(0.975)
		cbind(p$yhat, p$yhat - half, p$yhat + half, p$yhat_lower, p$yhat_upper)
	}
)

rows <- list()
times <- list()
for (id in unique(train$id)) {
	y <- train$y[train$id == id]
	for (method in methods) {
		before <- proc.time()
		invisible(capture.output(a <- suppressMessages(answers[[method]](y))))
		used <- proc.time() - before
		a <- matrix(as.numeric(a), nrow = h)
		if (min(y) >= 0) a[a < 0] <- 0
		rows[[length(rows) + 1]] <- data.frame(id, method, seq_len(h), a)
		times[[length(times) + 1]] <- data.frame(id, method, 1000 * sum(used[c(1, 2, 4, 5)], na.rm = TRUE))
	}
}
write.table(do.call(rbind, rows), out, sep = ",", row.names = FALSE,
	col.names = c("id", "method", "step", "point", "lo80", "hi80", "lo95", "hi95"))
write.table(do.call(rbind, times), paste0(out, ".ms"), sep = ",", row.names = FALSE, col.names = c("id", "method", "cpu_ms"))
