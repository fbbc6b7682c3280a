-- What people work with besides contacts and messages: teams, companies, pipelines, deals, tasks, segments, drafts,
-- notifications.

-- ---- accounts ----

CREATE TABLE teams (
    organisation BLOB    NOT NULL REFERENCES organisations (id),
    id           BLOB    NOT NULL CHECK (length(id) = 16),
    -- Fixed: workflows, conversations and tasks name teams by it.
    name         TEXT    NOT NULL CHECK (name <> ''),
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    PRIMARY KEY (organisation, id),
    UNIQUE (organisation, name)
) STRICT;

CREATE TABLE team_members (
    organisation BLOB    NOT NULL,
    team_id      BLOB    NOT NULL,
    user_id      BLOB    NOT NULL,
    -- The turn in which they were picked last; the lowest is next. 0: never yet.
    turn         INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (organisation, team_id, user_id),
    FOREIGN KEY (organisation, team_id) REFERENCES teams (organisation, id) ON DELETE CASCADE,
    FOREIGN KEY (organisation, user_id) REFERENCES users (organisation, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX team_members_of_user ON team_members (organisation, user_id);

-- Who has the app open. Moved forward while a socket is; who closes the last one is gone.
CREATE TABLE presence (
    organisation BLOB    NOT NULL,
    user_id      BLOB    NOT NULL,
    seen_at      INTEGER NOT NULL,
    PRIMARY KEY (organisation, user_id),
    FOREIGN KEY (organisation, user_id) REFERENCES users (organisation, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- ---- records ----

CREATE TABLE companies (
    organisation BLOB    NOT NULL REFERENCES organisations (id),
    id           BLOB    NOT NULL CHECK (length(id) = 16),
    name         TEXT    NOT NULL CHECK (name <> ''),
    -- Lower case, without `www.`; what tells two companies of one name apart.
    domain       TEXT,
    -- E.164.
    phone        TEXT,
    address      TEXT    NOT NULL DEFAULT '',
    -- The user who cares for it.
    owner        BLOB,
    fields       TEXT    NOT NULL DEFAULT '{}' CHECK (json_valid(fields)),
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    PRIMARY KEY (organisation, id)
) STRICT;
CREATE UNIQUE INDEX companies_domain ON companies (organisation, domain) WHERE domain IS NOT NULL;
CREATE INDEX companies_name ON companies (organisation, lower(name));

ALTER TABLE contacts ADD COLUMN company_id BLOB;
CREATE INDEX contacts_of_company ON contacts (organisation, company_id, id) WHERE company_id IS NOT NULL;
-- The contact that this one was merged into; then `deleted_at` is set too.
ALTER TABLE contacts ADD COLUMN merged_into BLOB;
CREATE INDEX contacts_merged_into ON contacts (organisation, merged_into) WHERE merged_into IS NOT NULL;

CREATE TABLE pipelines (
    organisation BLOB    NOT NULL REFERENCES organisations (id),
    id           BLOB    NOT NULL CHECK (length(id) = 16),
    name         TEXT    NOT NULL CHECK (name <> ''),
    -- Where deals go that name no pipeline.
    is_default   INTEGER NOT NULL DEFAULT 0 CHECK (is_default IN (0, 1)),
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    PRIMARY KEY (organisation, id),
    UNIQUE (organisation, name)
) STRICT;
CREATE UNIQUE INDEX pipelines_default ON pipelines (organisation) WHERE is_default = 1;

CREATE TABLE stages (
    organisation BLOB    NOT NULL,
    pipeline_id  BLOB    NOT NULL,
    id           BLOB    NOT NULL CHECK (length(id) = 16),
    name         TEXT    NOT NULL CHECK (name <> ''),
    -- From 0, left to right on the board.
    position     INTEGER NOT NULL,
    -- Of winning, in percent; NULL: nobody said.
    probability  INTEGER CHECK (probability BETWEEN 0 AND 100),
    PRIMARY KEY (organisation, pipeline_id, id),
    UNIQUE (organisation, pipeline_id, name),
    FOREIGN KEY (organisation, pipeline_id) REFERENCES pipelines (organisation, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE deals (
    organisation     BLOB    NOT NULL,
    id               BLOB    NOT NULL CHECK (length(id) = 16),
    title            TEXT    NOT NULL CHECK (title <> ''),
    pipeline_id      BLOB    NOT NULL,
    -- The stage it stands in; a closed deal keeps the one it was closed in.
    stage_id         BLOB    NOT NULL,
    status           TEXT    NOT NULL CHECK (status IN ('open', 'won', 'lost')),
    -- In minor units of `currency`.
    amount           INTEGER,
    -- ISO 4217.
    currency         TEXT,
    contact_id       BLOB,
    company_id       BLOB,
    -- The user who cares for it.
    owner            BLOB,
    -- A calendar day, `2026-12-24`.
    expected_close   TEXT,
    lost_reason      TEXT,
    fields           TEXT    NOT NULL DEFAULT '{}' CHECK (json_valid(fields)),
    stage_changed_at INTEGER NOT NULL,
    closed_at        INTEGER,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    PRIMARY KEY (organisation, id),
    FOREIGN KEY (organisation, pipeline_id) REFERENCES pipelines (organisation, id)
) STRICT;
-- The board: one column is one range.
CREATE INDEX deals_of_stage ON deals (organisation, pipeline_id, stage_id, id);
CREATE INDEX deals_of_contact ON deals (organisation, contact_id, id) WHERE contact_id IS NOT NULL;
CREATE INDEX deals_of_company ON deals (organisation, company_id, id) WHERE company_id IS NOT NULL;
CREATE INDEX deals_of_owner ON deals (organisation, owner, id) WHERE owner IS NOT NULL;

CREATE TABLE tasks (
    organisation  BLOB    NOT NULL REFERENCES organisations (id),
    id            BLOB    NOT NULL CHECK (length(id) = 16),
    title         TEXT    NOT NULL CHECK (title <> ''),
    text          TEXT    NOT NULL DEFAULT '',
    status        TEXT    NOT NULL CHECK (status IN ('open', 'done')),
    due_at        INTEGER,
    assigned_user BLOB,
    assigned_team TEXT,
    contact_id    BLOB,
    deal_id       BLOB,
    author_kind   TEXT    NOT NULL,
    author_id     TEXT,
    -- The run and step that made it, when one did.
    run_id        BLOB,
    step          TEXT,
    completed_at  INTEGER,
    -- When `task.overdue` was emitted for the present `due_at`.
    overdue_at    INTEGER,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    PRIMARY KEY (organisation, id)
) STRICT;
CREATE INDEX tasks_open ON tasks (organisation, id) WHERE status = 'open';
CREATE INDEX tasks_of_user ON tasks (organisation, assigned_user, id) WHERE assigned_user IS NOT NULL;
CREATE INDEX tasks_of_contact ON tasks (organisation, contact_id, id) WHERE contact_id IS NOT NULL;
CREATE INDEX tasks_of_deal ON tasks (organisation, deal_id, id) WHERE deal_id IS NOT NULL;
-- What falls due next: nothing else is looked at.
CREATE INDEX tasks_falling_due ON tasks (organisation, due_at) WHERE status = 'open' AND overdue_at IS NULL AND due_at IS NOT NULL;

CREATE TABLE segments (
    organisation BLOB    NOT NULL REFERENCES organisations (id),
    id           BLOB    NOT NULL CHECK (length(id) = 16),
    -- What workflows say.
    name         TEXT    NOT NULL CHECK (name <> ''),
    description  TEXT    NOT NULL DEFAULT '',
    -- `static`: whoever was put in. `dynamic`: whoever fits `filter`.
    kind         TEXT    NOT NULL CHECK (kind IN ('static', 'dynamic')),
    filter       TEXT    CHECK (json_valid(filter)),
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    PRIMARY KEY (organisation, id),
    UNIQUE (organisation, name)
) STRICT;

CREATE TABLE segment_members (
    organisation BLOB    NOT NULL,
    segment_id   BLOB    NOT NULL,
    contact_id   BLOB    NOT NULL,
    added_at     INTEGER NOT NULL,
    -- A page of one segment is one range.
    PRIMARY KEY (organisation, segment_id, contact_id),
    FOREIGN KEY (organisation, segment_id) REFERENCES segments (organisation, id) ON DELETE CASCADE,
    FOREIGN KEY (organisation, contact_id) REFERENCES contacts (organisation, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX segment_members_of ON segment_members (organisation, contact_id);

-- ---- messaging ----

CREATE TABLE conversation_tags (
    organisation    BLOB NOT NULL,
    tag             TEXT NOT NULL CHECK (tag <> ''),
    conversation_id BLOB NOT NULL,
    PRIMARY KEY (organisation, tag, conversation_id),
    FOREIGN KEY (organisation, conversation_id) REFERENCES conversations (organisation, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX conversation_tags_of ON conversation_tags (organisation, conversation_id);

-- What waits for a person to send it. Sent, it becomes the message of the same id and leaves this table, in one transaction.
CREATE TABLE message_drafts (
    organisation    BLOB    NOT NULL,
    id              BLOB    NOT NULL CHECK (length(id) = 16),
    conversation_id BLOB    NOT NULL,
    contact_id      BLOB    NOT NULL,
    -- { "text", "template", "params", "buttons", "language", "category" }
    content         TEXT    NOT NULL CHECK (json_valid(content)),
    author_kind     TEXT    NOT NULL CHECK (author_kind IN ('contact', 'user', 'automation', 'ai')),
    author_id       TEXT,
    run_id          BLOB,
    step            TEXT,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    PRIMARY KEY (organisation, id),
    FOREIGN KEY (organisation, conversation_id) REFERENCES conversations (organisation, id)
) STRICT;
CREATE INDEX message_drafts_of ON message_drafts (organisation, conversation_id, id);

CREATE TABLE notifications (
    organisation BLOB    NOT NULL,
    user_id      BLOB    NOT NULL,
    id           BLOB    NOT NULL CHECK (length(id) = 16),
    title        TEXT    NOT NULL CHECK (title <> ''),
    text         TEXT    NOT NULL DEFAULT '',
    -- The record to open: `contact`, `conversation`, `deal`, `task`, and its id.
    subject      TEXT,
    subject_id   TEXT,
    author_kind  TEXT    NOT NULL,
    author_id    TEXT,
    run_id       BLOB,
    step         TEXT,
    created_at   INTEGER NOT NULL,
    read_at      INTEGER,
    -- A page of one user's is one range.
    PRIMARY KEY (organisation, user_id, id),
    FOREIGN KEY (organisation, user_id) REFERENCES users (organisation, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX notifications_unread ON notifications (organisation, user_id, id) WHERE read_at IS NULL;
