"""What there is: recordings, cohorts, results, sessions. No input or output, no Qt."""
