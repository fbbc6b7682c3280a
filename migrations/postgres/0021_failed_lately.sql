-- Failures of a workflow by when they were, for the counters on its steps: those that went well are passed by without a look.
CREATE INDEX runs_failed_lately ON runs (organisation, workflow, ended_at) WHERE status = 'failed';
