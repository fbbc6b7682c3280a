-- Questions that runs ask their contact and that are open now: a row goes when its question closes.
CREATE TABLE contact_questions (
    organisation    BLOB    NOT NULL,
    run_id          BLOB    NOT NULL CHECK (length(run_id) = 16),
    step            TEXT    NOT NULL,
    -- What its buttons carry: one that is pressed late answers nothing else.
    id              BLOB    NOT NULL CHECK (length(id) = 16),
    workflow        TEXT    NOT NULL,
    contact_id      BLOB    NOT NULL,
    -- The run's, where it has one.
    conversation_id BLOB,
    title           TEXT    NOT NULL,
    form            TEXT    CHECK (json_valid(form)),
    opened_at       INTEGER NOT NULL,
    until           INTEGER,
    -- A run that is paused takes no answer; one that comes meanwhile waits here.
    paused          INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1)),
    answer          TEXT    CHECK (json_valid(answer)),
    answered_by     TEXT,
    -- The message that brought it last, over which account, and when it left; NULL: the contact has not seen it.
    message_id      BLOB,
    connection_id   BLOB,
    sent_at         INTEGER,
    -- When it had left before that: counts again where the last message did not.
    sent_before     INTEGER,
    -- The step that waits to send it.
    sender_run      BLOB,
    sender_step     TEXT,
    -- Answers that did not fit, and whether the contact is not asked again: a person passes the answer on.
    misfits         INTEGER NOT NULL DEFAULT 0,
    for_person      INTEGER NOT NULL DEFAULT 0 CHECK (for_person IN (0, 1)),
    -- Why it does not reach the contact, or nobody understood them.
    problem         TEXT,
    PRIMARY KEY (organisation, run_id, step)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX contact_questions_id ON contact_questions (organisation, id);
-- Each message that comes in asks: is this an answer?
CREATE INDEX contact_questions_asked ON contact_questions (organisation, contact_id, connection_id, sent_at);
CREATE INDEX contact_questions_message ON contact_questions (organisation, message_id) WHERE message_id IS NOT NULL;
