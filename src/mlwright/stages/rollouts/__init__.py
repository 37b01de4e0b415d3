"""Rollouts: paired, anytime-valid verdicts about a challenger, and the state machine that follows them."""
