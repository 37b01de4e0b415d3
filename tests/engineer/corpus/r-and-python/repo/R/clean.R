library(dplyr)
library(readr)

fields <- read_csv("data/fields.csv") |>
  filter(!is.na(yield), area > 0) |>
  mutate(rain_per_day = rain / days)

set.seed(1)
fit <- lm(yield ~ rain_per_day + soil, data = fields)
print(summary(fit))
write_csv(fields, "data/clean.csv")
