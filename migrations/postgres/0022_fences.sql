-- One row a node: it rises whenever a shard of the node changes hands, whoever sees to that. A commit that relies on all that its
-- node owns locks and checks this one row instead of up to 256 leases [4].
CREATE TABLE fences (
    node UUID NOT NULL PRIMARY KEY,
    number BIGINT NOT NULL
);

CREATE FUNCTION raise_fence() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE fences SET number = number + 1 WHERE node = OLD.node;
    RETURN NULL;
END
$$;

CREATE TRIGGER leases_raise_fence AFTER UPDATE OF epoch, node ON leases FOR EACH ROW
    WHEN (OLD.node IS NOT NULL AND (OLD.node IS DISTINCT FROM NEW.node OR OLD.epoch <> NEW.epoch))
    EXECUTE FUNCTION raise_fence();
