"""Measures of the affinity of two neurons; a file a measure, whose name is that of the measure in the settings.

Each has `features(sampling, neurons, times, usable, settings)`, which returns what its pairs are computed from (`affinity.features`): a `Features` of that file, or one of its own kind;

* sampling : `Sampling`, one worm on its own even clock;
* neurons : int array (n,), which of its neurons take part;
* times : bool array (T,), observed times; elsewhere every affinity is zero;
* usable : bool array (n, T), where each of these neurons was measured;
* settings : `AffinitySettings`.
"""

from __future__ import annotations

from ...model.folders import modules_in

KINDS = modules_in(__path__)
"""Names of the measures, which are loaded when they are used."""
