"""Speed, measured as ratios within one run against floors that do no more than they must."""
