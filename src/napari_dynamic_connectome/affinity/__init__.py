"""Time-varying affinities of neuron pairs, made from traces."""
