-- What people work with besides contacts and messages: teams, companies, pipelines, deals, tasks, segments, drafts,
-- notifications.

-- ---- accounts ----

CREATE TABLE teams (
    organisation UUID    NOT NULL REFERENCES organisations (id),
    id           UUID    NOT NULL,
    -- Fixed: workflows, conversations and tasks name teams by it.
    name         TEXT COLLATE "C"    NOT NULL CHECK (name <> ''),
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    PRIMARY KEY (organisation, id),
    UNIQUE (organisation, name)
);

CREATE TABLE team_members (
    organisation UUID    NOT NULL,
    team_id      UUID    NOT NULL,
    user_id      UUID    NOT NULL,
    -- The turn in which they were picked last; the lowest is next. 0: never yet.
    turn         BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (organisation, team_id, user_id),
    FOREIGN KEY (organisation, team_id) REFERENCES teams (organisation, id) ON DELETE CASCADE,
    FOREIGN KEY (organisation, user_id) REFERENCES users (organisation, id) ON DELETE CASCADE
);
CREATE INDEX team_members_of_user ON team_members (organisation, user_id);

-- Who has the app open. Moved forward while a socket is; who closes the last one is gone.
CREATE TABLE presence (
    organisation UUID    NOT NULL,
    user_id      UUID    NOT NULL,
    seen_at      BIGINT NOT NULL,
    PRIMARY KEY (organisation, user_id),
    FOREIGN KEY (organisation, user_id) REFERENCES users (organisation, id) ON DELETE CASCADE
);

-- ---- records ----

CREATE TABLE companies (
    organisation UUID    NOT NULL REFERENCES organisations (id),
    id           UUID    NOT NULL,
    name         TEXT COLLATE "C"    NOT NULL CHECK (name <> ''),
    -- Lower case, without `www.`; what tells two companies of one name apart.
    domain       TEXT COLLATE "C",
    -- E.164.
    phone        TEXT COLLATE "C",
    address      TEXT COLLATE "C"    NOT NULL DEFAULT '',
    -- The user who cares for it.
    owner        UUID,
    fields       TEXT COLLATE "C"    NOT NULL DEFAULT '{}' CHECK (fields::json IS NOT NULL),
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    PRIMARY KEY (organisation, id)
);
CREATE UNIQUE INDEX companies_domain ON companies (organisation, domain) WHERE domain IS NOT NULL;
CREATE INDEX companies_name ON companies (organisation, lower(name));

ALTER TABLE contacts ADD COLUMN company_id UUID;
CREATE INDEX contacts_of_company ON contacts (organisation, company_id, id) WHERE company_id IS NOT NULL;
-- The contact that this one was merged into; then `deleted_at` is set too.
ALTER TABLE contacts ADD COLUMN merged_into UUID;
CREATE INDEX contacts_merged_into ON contacts (organisation, merged_into) WHERE merged_into IS NOT NULL;

CREATE TABLE pipelines (
    organisation UUID    NOT NULL REFERENCES organisations (id),
    id           UUID    NOT NULL,
    name         TEXT COLLATE "C"    NOT NULL CHECK (name <> ''),
    -- Where deals go that name no pipeline.
    is_default   BOOLEAN NOT NULL DEFAULT FALSE,
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    PRIMARY KEY (organisation, id),
    UNIQUE (organisation, name)
);
CREATE UNIQUE INDEX pipelines_default ON pipelines (organisation) WHERE is_default;

CREATE TABLE stages (
    organisation UUID    NOT NULL,
    pipeline_id  UUID    NOT NULL,
    id           UUID    NOT NULL,
    name         TEXT COLLATE "C"    NOT NULL CHECK (name <> ''),
    -- From 0, left to right on the board.
    position     BIGINT NOT NULL,
    -- Of winning, in percent; NULL: nobody said.
    probability  BIGINT CHECK (probability BETWEEN 0 AND 100),
    PRIMARY KEY (organisation, pipeline_id, id),
    UNIQUE (organisation, pipeline_id, name),
    FOREIGN KEY (organisation, pipeline_id) REFERENCES pipelines (organisation, id) ON DELETE CASCADE
);

CREATE TABLE deals (
    organisation     UUID    NOT NULL,
    id               UUID    NOT NULL,
    title            TEXT COLLATE "C"    NOT NULL CHECK (title <> ''),
    pipeline_id      UUID    NOT NULL,
    -- The stage it stands in; a closed deal keeps the one it was closed in.
    stage_id         UUID    NOT NULL,
    status           TEXT COLLATE "C"    NOT NULL CHECK (status IN ('open', 'won', 'lost')),
    -- In minor units of `currency`.
    amount           BIGINT,
    -- ISO 4217.
    currency         TEXT COLLATE "C",
    contact_id       UUID,
    company_id       UUID,
    -- The user who cares for it.
    owner            UUID,
    -- A calendar day, `2026-12-24`.
    expected_close   TEXT COLLATE "C",
    lost_reason      TEXT COLLATE "C",
    fields           TEXT COLLATE "C"    NOT NULL DEFAULT '{}' CHECK (fields::json IS NOT NULL),
    stage_changed_at BIGINT NOT NULL,
    closed_at        BIGINT,
    created_at       BIGINT NOT NULL,
    updated_at       BIGINT NOT NULL,
    PRIMARY KEY (organisation, id),
    FOREIGN KEY (organisation, pipeline_id) REFERENCES pipelines (organisation, id)
);
-- The board: one column is one range.
CREATE INDEX deals_of_stage ON deals (organisation, pipeline_id, stage_id, id);
CREATE INDEX deals_of_contact ON deals (organisation, contact_id, id) WHERE contact_id IS NOT NULL;
CREATE INDEX deals_of_company ON deals (organisation, company_id, id) WHERE company_id IS NOT NULL;
CREATE INDEX deals_of_owner ON deals (organisation, owner, id) WHERE owner IS NOT NULL;

CREATE TABLE tasks (
    organisation  UUID    NOT NULL REFERENCES organisations (id),
    id            UUID    NOT NULL,
    title         TEXT COLLATE "C"    NOT NULL CHECK (title <> ''),
    text          TEXT COLLATE "C"    NOT NULL DEFAULT '',
    status        TEXT COLLATE "C"    NOT NULL CHECK (status IN ('open', 'done')),
    due_at        BIGINT,
    assigned_user UUID,
    assigned_team TEXT COLLATE "C",
    contact_id    UUID,
    deal_id       UUID,
    author_kind   TEXT COLLATE "C"    NOT NULL,
    author_id     TEXT COLLATE "C",
    -- The run and step that made it, when one did.
    run_id        UUID,
    step          TEXT COLLATE "C",
    completed_at  BIGINT,
    -- When `task.overdue` was emitted for the present `due_at`.
    overdue_at    BIGINT,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    PRIMARY KEY (organisation, id)
);
CREATE INDEX tasks_open ON tasks (organisation, id) WHERE status = 'open';
CREATE INDEX tasks_of_user ON tasks (organisation, assigned_user, id) WHERE assigned_user IS NOT NULL;
CREATE INDEX tasks_of_contact ON tasks (organisation, contact_id, id) WHERE contact_id IS NOT NULL;
CREATE INDEX tasks_of_deal ON tasks (organisation, deal_id, id) WHERE deal_id IS NOT NULL;
-- What falls due next: nothing else is looked at.
CREATE INDEX tasks_falling_due ON tasks (organisation, due_at) WHERE status = 'open' AND overdue_at IS NULL AND due_at IS NOT NULL;

CREATE TABLE segments (
    organisation UUID    NOT NULL REFERENCES organisations (id),
    id           UUID    NOT NULL,
    -- What workflows say.
    name         TEXT COLLATE "C"    NOT NULL CHECK (name <> ''),
    description  TEXT COLLATE "C"    NOT NULL DEFAULT '',
    -- `static`: whoever was put in. `dynamic`: whoever fits `filter`.
    kind         TEXT COLLATE "C"    NOT NULL CHECK (kind IN ('static', 'dynamic')),
    filter       TEXT COLLATE "C"    CHECK (filter IS NULL OR filter::json IS NOT NULL),
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    PRIMARY KEY (organisation, id),
    UNIQUE (organisation, name)
);

CREATE TABLE segment_members (
    organisation UUID    NOT NULL,
    segment_id   UUID    NOT NULL,
    contact_id   UUID    NOT NULL,
    added_at     BIGINT NOT NULL,
    -- A page of one segment is one range.
    PRIMARY KEY (organisation, segment_id, contact_id),
    FOREIGN KEY (organisation, segment_id) REFERENCES segments (organisation, id) ON DELETE CASCADE,
    FOREIGN KEY (organisation, contact_id) REFERENCES contacts (organisation, id) ON DELETE CASCADE
);
CREATE INDEX segment_members_of ON segment_members (organisation, contact_id);

-- ---- messaging ----

CREATE TABLE conversation_tags (
    organisation    UUID NOT NULL,
    tag             TEXT COLLATE "C" NOT NULL CHECK (tag <> ''),
    conversation_id UUID NOT NULL,
    PRIMARY KEY (organisation, tag, conversation_id),
    FOREIGN KEY (organisation, conversation_id) REFERENCES conversations (organisation, id) ON DELETE CASCADE
);
CREATE INDEX conversation_tags_of ON conversation_tags (organisation, conversation_id);

-- What waits for a person to send it. Sent, it becomes the message of the same id and leaves this table, in one transaction.
CREATE TABLE message_drafts (
    organisation    UUID    NOT NULL,
    id              UUID    NOT NULL,
    conversation_id UUID    NOT NULL,
    contact_id      UUID    NOT NULL,
    -- { "text", "template", "params", "buttons", "language", "category" }
    content         TEXT COLLATE "C"    NOT NULL CHECK (content::json IS NOT NULL),
    author_kind     TEXT COLLATE "C"    NOT NULL CHECK (author_kind IN ('contact', 'user', 'automation', 'ai')),
    author_id       TEXT COLLATE "C",
    run_id          UUID,
    step            TEXT COLLATE "C",
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL,
    PRIMARY KEY (organisation, id),
    FOREIGN KEY (organisation, conversation_id) REFERENCES conversations (organisation, id)
);
CREATE INDEX message_drafts_of ON message_drafts (organisation, conversation_id, id);

CREATE TABLE notifications (
    organisation UUID    NOT NULL,
    user_id      UUID    NOT NULL,
    id           UUID    NOT NULL,
    title        TEXT COLLATE "C"    NOT NULL CHECK (title <> ''),
    text         TEXT COLLATE "C"    NOT NULL DEFAULT '',
    -- The record to open: `contact`, `conversation`, `deal`, `task`, and its id.
    subject      TEXT COLLATE "C",
    subject_id   TEXT COLLATE "C",
    author_kind  TEXT COLLATE "C"    NOT NULL,
    author_id    TEXT COLLATE "C",
    run_id       UUID,
    step         TEXT COLLATE "C",
    created_at   BIGINT NOT NULL,
    read_at      BIGINT,
    -- A page of one user's is one range.
    PRIMARY KEY (organisation, user_id, id),
    FOREIGN KEY (organisation, user_id) REFERENCES users (organisation, id) ON DELETE CASCADE
);
CREATE INDEX notifications_unread ON notifications (organisation, user_id, id) WHERE read_at IS NULL;
