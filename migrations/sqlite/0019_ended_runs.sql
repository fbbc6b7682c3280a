-- Retention finds what ended, and passes by what lives without looking at it.
CREATE INDEX runs_ended ON runs (organisation, workflow, ended_at, id) WHERE ended_at IS NOT NULL;
