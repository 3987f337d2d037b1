"""Everything that is written for others: tables, figures, HTML, graphs, NWB, text that reproduces a result."""
