"""Models that judge text: train, evaluate and score them; model files are data, never pickles."""
