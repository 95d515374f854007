-- tiercache, schema 1: where the Postgres store keeps its entries.
--
-- `supabase db push`, psql (with --single-transaction) and the library itself can all run this file as it
-- is. It needs Postgres 14 and the right to create a schema, and nothing of Supabase, whose roles get their
-- grants if they exist. docs/decisions/0018-postgres-schema.md says what the columns mean, and why.

create schema tiercache;

-- Has one row. A program works with the newest schema that it knows, and with newer ones that say they are
-- compatible.
create table tiercache.schema_version (
  only_row        boolean primary key default true check (only_row),
  version         integer not null,
  compatible_from integer not null,
  incarnation     uuid not null default gen_random_uuid(),
  applied_at      timestamptz not null default now()
);
insert into tiercache.schema_version (version, compatible_from) values (1, 1);

create table tiercache.projects (
  id                bigint generated always as identity primary key,
  project_name      text collate "C" not null unique,
  description       text not null default '',
  is_active         boolean not null default true,
  changes_purged_to xid8,
  created_at        timestamptz not null default now(),
  updated_at        timestamptz not null default now()
);

-- Half of each page stays free, so that new versions of all its rows fit in. No index holds a clock or
-- `metadata`, so an update of these alone touches no index (a HOT update); `updated_at` does not move then,
-- because it is the time of the content.
create table tiercache.cache_storage (
  id              bigint generated always as identity primary key,
  project_id      bigint not null references tiercache.projects (id),
  cache_type      text collate "C" not null,
  cache_key       text collate "C" not null default '',
  data            jsonb,
  last_fetch      timestamptz,
  last_rich_fetch timestamptz,
  invalidated_at  timestamptz,
  data_size       bigint not null default 0,
  cache_version   text not null default '1.0',
  retention_days  integer not null default 30,
  metadata        jsonb not null default '{}',
  created_at      timestamptz not null default now(),
  updated_at      timestamptz not null default now(),
  deleted         boolean not null default false,
  version         bigint not null,
  writer          bigint not null,
  fresh_for_ms    bigint,
  checksum        text not null,
  stored_checksum text,
  check (deleted = (data is null)),
  check (deleted = (stored_checksum is null))
) with (fillfactor = 50);

create unique index idx_project_id on tiercache.cache_storage (project_id, cache_type, cache_key);
create index idx_updated_at on tiercache.cache_storage (project_id, updated_at desc, id desc)
  where not deleted;
create index idx_cache_type
  on tiercache.cache_storage (project_id, cache_type, updated_at desc, id desc) where not deleted;

-- lz4 is faster on documents than the default, which a server that was built without lz4 keeps.
do $$
begin
  alter table tiercache.cache_storage alter column data set compression lz4;
exception when feature_not_supported then
  null;
end
$$;

-- The change feed, in the order in which transactions were begun. That is not the order in which they are
-- committed, so readers must not pass over a transaction that still runs: programs of schemas 1 and 2 wait
-- for it, later ones come back to it (docs/decisions/0035-change-feed-by-snapshots.md). There is no foreign
-- key to the project, because checking it would cost as much as the row itself.
create table tiercache.cache_changes (
  project_id     bigint not null,
  xid            xid8 not null default pg_current_xact_id(),
  seq            bigint generated always as identity,
  cache_type     text collate "C" not null,
  cache_key      text collate "C" not null,
  version        bigint not null,
  writer         bigint not null,
  invalidated_at timestamptz,
  at             timestamptz not null default now(),
  primary key (project_id, xid, seq)
);

create function tiercache.time_of_ms(p_ms bigint) returns timestamptz
language sql immutable parallel safe
return to_timestamp(p_ms / 1000.0);

create function tiercache.ms_of_time(p_time timestamptz) returns bigint
language sql immutable parallel safe
return round(extract(epoch from p_time) * 1000)::bigint;

-- The checksum of the text that a reader will get, who can check it without knowing what was put.
create function tiercache.checksum_of(p_data jsonb) returns text
language sql stable parallel safe
return encode(sha256(convert_to(p_data::text, 'UTF8')), 'hex');

create function tiercache.project_id(p_project text) returns bigint
language plpgsql set search_path = '' as $$
declare
  v_id bigint;
begin
  select id into v_id from tiercache.projects where project_name = p_project;
  if found then
    return v_id;
  end if;
  insert into tiercache.projects (project_name) values (p_project) on conflict do nothing
    returning id into v_id;
  if not found then
    select id into v_id from tiercache.projects where project_name = p_project;
  end if;
  return v_id;
end
$$;

-- Applies a batch of writes, each by the rules of engine/include/tiercache/store_rules.h. Returns one row
-- for each: its place, counted from 1, its outcome, and with `superseded` the row that stands.
--
-- For each write it locks the row, compares it, and then inserts, replaces, moves clocks or leaves it. If
-- there is no row and another transaction inserts one first, it looks again. All batches take their keys in
-- the same order, so that no two of them can deadlock. Each change of content, and each invalidation, also
-- adds a row to the change feed.
create function tiercache.save_entries(
  p_project text, p_lock_timeout_ms integer, p_content boolean[], p_types text[], p_keys text[],
  p_deleted boolean[], p_versions bigint[], p_writers bigint[], p_guard_versions bigint[],
  p_guard_writers bigint[], p_checksums text[], p_last_fetch bigint[], p_last_rich_fetch bigint[],
  p_invalidated_at bigint[], p_fresh_for_ms bigint[], p_cache_versions text[], p_metadata text[],
  p_documents text[])
returns table (
  place bigint, outcome text, now_ms bigint, cache_type text, cache_key text, deleted boolean,
  version bigint, writer bigint, checksum text, stored_checksum text, last_fetch bigint,
  last_rich_fetch bigint, invalidated_at bigint, fresh_for_ms bigint, cache_version text,
  metadata text, document text)
language plpgsql set search_path = '' as $$
#variable_conflict use_column
declare
  v_project bigint;
  v_row record;
  v_same boolean;
  v_of_this boolean;
  v_data jsonb;
  v_fetch timestamptz;
  v_rich timestamptz;
  v_invalidated timestamptz;
  v_metadata jsonb;
  v_outcome text;
  v_id bigint;
  v_attempts integer;
  i integer;
begin
  perform set_config('lock_timeout', p_lock_timeout_ms::text, true);
  v_project := tiercache.project_id(p_project);
  for i in
    select u.place from unnest(p_types, p_keys) with ordinality as u (type, key, place)
    order by u.type collate "C", u.key collate "C", u.place
  loop
    v_outcome := null;
    v_id := null;
    v_attempts := 0;
    v_fetch := tiercache.time_of_ms(p_last_fetch[i]);
    v_rich := tiercache.time_of_ms(p_last_rich_fetch[i]);
    v_invalidated := tiercache.time_of_ms(p_invalidated_at[i]);
    while v_outcome is null loop
      select c.id, c.deleted, c.version, c.writer, c.checksum, c.stored_checksum, c.last_fetch,
             c.last_rich_fetch, c.invalidated_at, c.metadata
        into v_row
        from tiercache.cache_storage c
        where c.project_id = v_project and c.cache_type = p_types[i] and c.cache_key = p_keys[i]
        for no key update;
      if not found then
        if not p_content[i] then
          v_outcome := 'superseded';
        else
          v_data := p_documents[i]::jsonb;
          insert into tiercache.cache_storage as c (
            project_id, cache_type, cache_key, data, last_fetch, last_rich_fetch, invalidated_at,
            data_size, cache_version, metadata, updated_at, deleted, version, writer,
            fresh_for_ms, checksum, stored_checksum)
          values (
            v_project, p_types[i], p_keys[i], v_data, v_fetch, v_rich, v_invalidated,
            coalesce(octet_length(p_documents[i]), 0), p_cache_versions[i], p_metadata[i]::jsonb,
            clock_timestamp(), p_deleted[i], p_versions[i], p_writers[i],
            p_fresh_for_ms[i], p_checksums[i], tiercache.checksum_of(v_data))
          on conflict do nothing
          returning c.id into v_id;
          if found then
            v_outcome := 'saved';
            insert into tiercache.cache_changes (
              project_id, cache_type, cache_key, version, writer, invalidated_at)
            values (
              v_project, p_types[i], p_keys[i], p_versions[i], p_writers[i], v_invalidated);
          end if;
        end if;
        -- If another transaction was first, the next look finds its row, unless the caller's transaction
        -- keeps an older view of the table.
        v_attempts := v_attempts + 1;
        if v_attempts > 100 then
          raise exception 'rows appear and vanish' using errcode = 'serialization_failure';
        end if;
        continue;
      end if;

      v_id := v_row.id;
      v_same := v_row.version = p_versions[i] and v_row.writer = p_writers[i]
        and v_row.checksum = p_checksums[i] and v_row.deleted = p_deleted[i];
      if p_guard_versions[i] is not null and not (p_content[i] and v_same)
         and (v_row.version, v_row.writer) > (p_guard_versions[i], p_guard_writers[i]) then
        v_outcome := 'superseded';
        continue;
      end if;

      -- The content is newer; or it is the row's own, and the row no longer matches its checksum.
      if p_content[i] and ((v_row.version, v_row.writer) < (p_versions[i], p_writers[i])
         or (v_same and v_row.stored_checksum is distinct from (
               select tiercache.checksum_of(c.data) from tiercache.cache_storage c
               where c.id = v_id))) then
        v_data := p_documents[i]::jsonb;
        update tiercache.cache_storage c set
          data = v_data,
          last_fetch = greatest(c.last_fetch, v_fetch),
          last_rich_fetch = greatest(c.last_rich_fetch, v_rich),
          invalidated_at = greatest(c.invalidated_at, v_invalidated),
          data_size = coalesce(octet_length(p_documents[i]), 0),
          cache_version = p_cache_versions[i],
          metadata = p_metadata[i]::jsonb,
          updated_at = clock_timestamp(),
          deleted = p_deleted[i],
          version = p_versions[i],
          writer = p_writers[i],
          fresh_for_ms = p_fresh_for_ms[i],
          checksum = p_checksums[i],
          stored_checksum = tiercache.checksum_of(v_data)
        where c.id = v_id;
        insert into tiercache.cache_changes (
          project_id, cache_type, cache_key, version, writer, invalidated_at)
        values (
          v_project, p_types[i], p_keys[i], p_versions[i], p_writers[i],
          greatest(v_row.invalidated_at, v_invalidated));
        v_outcome := 'saved';
        continue;
      end if;

      -- The content stands. What may still move are the clocks, and, with a later fetch of this very
      -- content, the metadata.
      v_of_this := case when p_content[i] then v_same
        else v_row.version = p_versions[i] and v_row.writer = p_writers[i] end;
      v_metadata := v_row.metadata;
      if v_of_this and (v_row.last_fetch is null or coalesce(v_fetch >= v_row.last_fetch, false)) then
        v_metadata := coalesce(nullif(p_metadata[i], '')::jsonb, v_metadata);
      end if;
      v_fetch := greatest(v_row.last_fetch, v_fetch);
      v_rich := greatest(v_row.last_rich_fetch, v_rich);
      v_invalidated := greatest(v_row.invalidated_at, v_invalidated);
      v_outcome := case
        when p_content[i] and v_same then 'already_saved'
        when p_content[i] then 'superseded'
        when (v_row.version, v_row.writer) > (p_versions[i], p_writers[i]) then 'superseded'
        else 'already_saved' end;
      if (v_fetch, v_rich, v_invalidated, v_metadata) is distinct from
         (v_row.last_fetch, v_row.last_rich_fetch, v_row.invalidated_at, v_row.metadata) then
        update tiercache.cache_storage c set
          last_fetch = v_fetch, last_rich_fetch = v_rich, invalidated_at = v_invalidated,
          metadata = v_metadata
        where c.id = v_id;
        if v_invalidated is distinct from v_row.invalidated_at then
          insert into tiercache.cache_changes (
            project_id, cache_type, cache_key, version, writer, invalidated_at)
          values (
            v_project, p_types[i], p_keys[i], v_row.version, v_row.writer, v_invalidated);
        end if;
        if v_outcome = 'already_saved' and not p_content[i] then
          v_outcome := 'saved';
        end if;
      end if;
    end loop;

    if v_outcome = 'superseded' and v_id is not null then
      return query
        select i::bigint, v_outcome, tiercache.ms_of_time(clock_timestamp()), c.cache_type::text,
               c.cache_key::text, c.deleted, c.version, c.writer, c.checksum, c.stored_checksum,
               tiercache.ms_of_time(c.last_fetch), tiercache.ms_of_time(c.last_rich_fetch),
               tiercache.ms_of_time(c.invalidated_at), c.fresh_for_ms, c.cache_version,
               c.metadata::text, c.data::text
        from tiercache.cache_storage c where c.id = v_id;
    else
      place := i;
      outcome := v_outcome;
      now_ms := tiercache.ms_of_time(clock_timestamp());
      return next;
    end if;
  end loop;
end
$$;

-- Replaces every row whose key matches and whose version is older by a tombstone of the given version. The
-- pattern is one of LIKE over the key's bytes, as the library's globs are. Programs of schemas 1 and 2 use
-- it; later ones erase in pieces (erase_matching_piece).
create function tiercache.erase_matching(
  p_project text, p_lock_timeout_ms integer, p_type text, p_pattern bytea, p_version bigint,
  p_writer bigint)
returns table (erased bigint, now_ms bigint)
language plpgsql set search_path = '' as $$
#variable_conflict use_column
begin
  perform set_config('lock_timeout', p_lock_timeout_ms::text, true);
  return query
    with victims as materialized (
      select c.id, c.deleted
      from tiercache.cache_storage c
      join tiercache.projects p on p.id = c.project_id
      where p.project_name = p_project and c.cache_type = p_type
        and (c.version, c.writer) < (p_version, p_writer)
        and convert_to(c.cache_key, 'UTF8') like p_pattern
      order by c.cache_key
      for no key update of c
    ), tombstones as (
      update tiercache.cache_storage c set
        data = null, data_size = 0, metadata = '{}', updated_at = clock_timestamp(),
        deleted = true, version = p_version, writer = p_writer, fresh_for_ms = null,
        checksum = repeat('0', 32), stored_checksum = null
      from victims v where c.id = v.id
      returning c.project_id, c.cache_key, c.invalidated_at, v.deleted as was_deleted
    ), noted as (
      insert into tiercache.cache_changes (
        project_id, cache_type, cache_key, version, writer, invalidated_at)
      select t.project_id, p_type, t.cache_key, p_version, p_writer, t.invalidated_at
      from tombstones t
    )
    select count(*) filter (where not t.was_deleted), tiercache.ms_of_time(clock_timestamp())
    from tombstones t;
end
$$;

-- Deletes changes that are older than `p_keep`, at most `p_limit` of each project, and remembers how far it
-- got: a reader whose cursor is older is told of a gap.
create function tiercache.purge_changes(p_keep interval, p_limit integer) returns bigint
language plpgsql set search_path = '' as $$
declare
  v_purged bigint;
begin
  with old as (
    select p.id as project_id, c.xid, c.seq
    from tiercache.projects p
    cross join lateral (
      select f.xid, f.seq, f.at from tiercache.cache_changes f
      where f.project_id = p.id order by f.xid, f.seq limit p_limit) c
    where c.at < now() - p_keep
  ), gone as (
    delete from tiercache.cache_changes c using old
    where c.project_id = old.project_id and c.xid = old.xid and c.seq = old.seq
    returning c.project_id, c.xid
  ), furthest as (
    select distinct on (g.project_id) g.project_id, g.xid from gone g
    order by g.project_id, g.xid desc
  ), noted as (
    update tiercache.projects p set changes_purged_to = f.xid
    from furthest f
    where p.id = f.project_id and (p.changes_purged_to is null or p.changes_purged_to < f.xid)
  )
  select count(*) into v_purged from gone;
  return v_purged;
end
$$;

-- By default nobody can use anything here but the owner, and those who may act as the owner.
alter table tiercache.schema_version enable row level security;
alter table tiercache.projects enable row level security;
alter table tiercache.cache_storage enable row level security;
alter table tiercache.cache_changes enable row level security;

revoke all on schema tiercache from public;
revoke all on all tables in schema tiercache from public;
revoke all on all sequences in schema tiercache from public;
revoke all on all functions in schema tiercache from public;

do $$
declare
  v_role text;
begin
  for v_role in select rolname from pg_catalog.pg_roles where rolname in ('anon', 'authenticated') loop
    execute format('revoke all on schema tiercache from %I', v_role);
    execute format('revoke all on all tables in schema tiercache from %I', v_role);
    execute format('revoke all on all sequences in schema tiercache from %I', v_role);
    execute format('revoke all on all functions in schema tiercache from %I', v_role);
  end loop;
  if exists (select from pg_catalog.pg_roles where rolname = 'service_role') then
    grant usage on schema tiercache to service_role;
    grant select, insert, update, delete on all tables in schema tiercache to service_role;
    grant usage on all sequences in schema tiercache to service_role;
    grant execute on all functions in schema tiercache to service_role;
  end if;
end
$$;
