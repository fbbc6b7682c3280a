-- The questions that a run asks people now. Derived, like the whole row; the index holds only runs that ask something.
ALTER TABLE runs ADD COLUMN questions TEXT COLLATE "C";
CREATE INDEX runs_asking ON runs (organisation, id) WHERE questions IS NOT NULL;
