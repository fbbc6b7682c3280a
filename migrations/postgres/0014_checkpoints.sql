-- Runs of which something was erased: no checkpoint is kept of them, since a run in memory still knows what was erased [17, 19].
CREATE INDEX payloads_erased ON payloads (run) WHERE value IS NULL;
