-- Questions that runs ask their contact and that are open now: a row goes when its question closes.
CREATE TABLE contact_questions (
    organisation    UUID    NOT NULL,
    run_id          UUID    NOT NULL,
    step            TEXT COLLATE "C"    NOT NULL,
    -- What its buttons carry: one that is pressed late answers nothing else.
    id              UUID    NOT NULL,
    workflow        TEXT COLLATE "C"    NOT NULL,
    contact_id      UUID    NOT NULL,
    -- The run's, where it has one.
    conversation_id UUID,
    title           TEXT COLLATE "C"    NOT NULL,
    form            TEXT COLLATE "C"    CHECK (form IS NULL OR form::json IS NOT NULL),
    opened_at       BIGINT NOT NULL,
    until           BIGINT,
    -- A run that is paused takes no answer; one that comes meanwhile waits here.
    paused          BOOLEAN NOT NULL DEFAULT FALSE,
    answer          TEXT COLLATE "C"    CHECK (answer IS NULL OR answer::json IS NOT NULL),
    answered_by     TEXT COLLATE "C",
    -- The message that brought it last, over which account, and when it left; NULL: the contact has not seen it.
    message_id      UUID,
    connection_id   UUID,
    sent_at         BIGINT,
    -- When it had left before that: counts again where the last message did not.
    sent_before     BIGINT,
    -- The step that waits to send it.
    sender_run      UUID,
    sender_step     TEXT COLLATE "C",
    -- Answers that did not fit, and whether the contact is not asked again: a person passes the answer on.
    misfits         BIGINT NOT NULL DEFAULT 0,
    for_person      BOOLEAN NOT NULL DEFAULT FALSE,
    -- Why it does not reach the contact, or nobody understood them.
    problem         TEXT COLLATE "C",
    PRIMARY KEY (organisation, run_id, step)
);
CREATE UNIQUE INDEX contact_questions_id ON contact_questions (organisation, id);
-- Each message that comes in asks: is this an answer?
CREATE INDEX contact_questions_asked ON contact_questions (organisation, contact_id, connection_id, sent_at);
CREATE INDEX contact_questions_message ON contact_questions (organisation, message_id) WHERE message_id IS NOT NULL;
