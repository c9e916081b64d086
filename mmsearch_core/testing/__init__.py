"""Fakes that keep the ports' promises: for tests of ours and of whoever builds on mmsearch."""
