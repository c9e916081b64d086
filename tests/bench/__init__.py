"""Benchmarks: ratios of ours and of the bare library, doing the same work, measured side by side in
one run."""
