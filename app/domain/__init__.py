"""Pictures, alphas and what is done to them: arrays in, arrays out."""
