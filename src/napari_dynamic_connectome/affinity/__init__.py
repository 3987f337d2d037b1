"""From traces to time-varying affinities of neuron pairs."""
