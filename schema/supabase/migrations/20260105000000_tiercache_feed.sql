-- tiercache, schema 3: a change feed that waits for no open transaction and notices a failover, erases by
-- pattern that are done in pieces, commits that are on disk before they are confirmed, and comments on every
-- column. The reasons are in docs/decisions/0035-change-feed-by-snapshots.md and 0036-failover.md.

-- Names the history that the server's transactions belong to: the cluster and its timeline, which changes
-- with every promotion and every recovery from an archive. In another history the same number means another
-- transaction. Empty if the server does not say.
create function tiercache.transaction_history() returns text
language plpgsql stable set search_path = '' as $$
declare
  v_timeline bigint;
begin
  if pg_is_in_recovery() then
    select greatest(c.timeline_id, r.min_recovery_end_timeline) into v_timeline
      from pg_control_checkpoint() c, pg_control_recovery() r;
  else
    v_timeline := ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint;
  end if;
  return (select s.system_identifier from pg_control_system() s) || '-' || v_timeline;
exception when others then
  return '';
end
$$;

-- Every write calls this, with the time to wait for locks, which it returns. If commits of the role or the
-- database returned before they are on disk, a crash of the server could undo what was confirmed; so that is
-- switched on for the transaction.
create function tiercache.begin_write(p_lock_timeout_ms integer) returns integer
language plpgsql set search_path = '' as $$
begin
  if current_setting('synchronous_commit') = 'off' then
    perform set_config('synchronous_commit', 'on', true);
  end if;
  return p_lock_timeout_ms;
end
$$;

-- Does what erase_matching does, for at most `p_limit` keys after `p_after` in byte order. `next_after` is
-- the key to go on after, and null at the end. Only keys from `p_from` on and below `p_below` (null: no end)
-- are looked at; the caller sees to it that this range holds everything that can match.
create function tiercache.erase_matching_piece(
  p_project text, p_lock_timeout_ms integer, p_type text, p_pattern bytea, p_from text, p_below text,
  p_after text, p_limit bigint, p_version bigint, p_writer bigint)
returns table (erased bigint, now_ms bigint, next_after text)
language plpgsql set search_path = '' as $$
#variable_conflict use_column
begin
  perform set_config('lock_timeout', tiercache.begin_write(p_lock_timeout_ms)::text, true);
  return query
    with looked as materialized (
      select c.id, c.cache_key
      from tiercache.cache_storage c
      where c.project_id = (select p.id from tiercache.projects p where p.project_name = p_project)
        and c.cache_type = p_type
        and c.cache_key >= p_from and (p_below is null or c.cache_key < p_below)
        and (p_after is null or c.cache_key > p_after)
      order by c.cache_key
      limit p_limit
    ), victims as materialized (
      select c.id, c.deleted
      from looked l join tiercache.cache_storage c on c.id = l.id
      where (c.version, c.writer) < (p_version, p_writer)
        and convert_to(c.cache_key, 'UTF8') like p_pattern
      order by l.cache_key
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
    select (select count(*) filter (where not t.was_deleted) from tombstones t),
           tiercache.ms_of_time(clock_timestamp()),
           (select case when count(*) >= p_limit then max(l.cache_key) end from looked l);
end
$$;

comment on schema tiercache is
  'Documents of tiercache, a persistent cache: written by its library alone. Edit a document by a put.';

comment on table tiercache.schema_version is 'One row: which programs this schema serves.';
comment on column tiercache.schema_version.only_row is 'Always true: there is one row.';
comment on column tiercache.schema_version.version is 'The number of migrations that were applied.';
comment on column tiercache.schema_version.compatible_from is
  'Programs that know this version of the schema, or a later one, may use it.';
comment on column tiercache.schema_version.incarnation is
  'Of the data: a new one after a reset, and after a restore by tiercache.new_incarnation().';
comment on column tiercache.schema_version.applied_at is 'When the newest migration was applied.';

comment on table tiercache.projects is 'One row for each project: the namespace of an application.';
comment on column tiercache.projects.id is 'What the other tables name the project by.';
comment on column tiercache.projects.project_name is 'CacheOptions::project.';
comment on column tiercache.projects.description is 'For people; the library does not read it.';
comment on column tiercache.projects.is_active is 'For people; the library does not read it.';
comment on column tiercache.projects.changes_purged_to is
  'The highest transaction of which rows were dropped from cache_changes; null: none were.';
comment on column tiercache.projects.created_at is 'When the project was written to for the first time.';
comment on column tiercache.projects.updated_at is 'For people; the library does not move it.';
comment on column tiercache.projects.horizon_version is
  'The highest version of all tombstones that were purged; null: none were.';
comment on column tiercache.projects.horizon_writer is 'The writer of horizon_version.';

comment on table tiercache.cache_storage is
  'One row for each key of a dataset: its document, or a tombstone where it was erased.';
comment on column tiercache.cache_storage.id is 'Of the row; means nothing outside of the database.';
comment on column tiercache.cache_storage.project_id is 'The row of projects.';
comment on column tiercache.cache_storage.cache_type is 'The name of the dataset.';
comment on column tiercache.cache_storage.cache_key is
  'Which document of the dataset; empty where the dataset is one document.';
comment on column tiercache.cache_storage.data is
  'The document; null in a tombstone. Changed by hand it fails its checksum and is not served.';
comment on column tiercache.cache_storage.last_fetch is
  'When the fetch of the document from its source began: ages are counted from here.';
comment on column tiercache.cache_storage.last_rich_fetch is
  'The same of the second, costlier refresh of a dataset that has one.';
comment on column tiercache.cache_storage.invalidated_at is
  'When the entry was invalidated last: what was fetched before is stale.';
comment on column tiercache.cache_storage.data_size is 'Bytes of the document as it was put.';
comment on column tiercache.cache_storage.cache_version is
  'Of the document''s form, as the application counts it: others are not decoded.';
comment on column tiercache.cache_storage.retention_days is 'For people; the library does not read it.';
comment on column tiercache.cache_storage.metadata is
  'What goes with the document, as the ETag of its source.';
comment on column tiercache.cache_storage.created_at is 'When the row was made.';
comment on column tiercache.cache_storage.updated_at is
  'When the content was written last, by the server''s clock; clocks that move do not count.';
comment on column tiercache.cache_storage.deleted is 'The row is a tombstone.';
comment on column tiercache.cache_storage.version is
  'Of the content: milliseconds since 1970 times 65536, and a counter. A row never goes back.';
comment on column tiercache.cache_storage.writer is
  'Who wrote the version: decides between two equal ones.';
comment on column tiercache.cache_storage.fresh_for_ms is
  'For how long this entry is fresh, in milliseconds; null: as the dataset says.';
comment on column tiercache.cache_storage.checksum is
  'Of the document as it was put, 32 hexadecimal digits: identifies the content in every tier.';
comment on column tiercache.cache_storage.stored_checksum is
  'SHA-256 of data::text: what a reader checks the row by. Null in a tombstone.';

comment on table tiercache.cache_changes is
  'The change feed: one row for each write of content and each invalidation, purged after a while.';
comment on column tiercache.cache_changes.project_id is 'The row of projects.';
comment on column tiercache.cache_changes.xid is 'The transaction that wrote it.';
comment on column tiercache.cache_changes.seq is 'The order inside of a transaction.';
comment on column tiercache.cache_changes.cache_type is 'The name of the dataset.';
comment on column tiercache.cache_changes.cache_key is 'Which document of the dataset.';
comment on column tiercache.cache_changes.version is 'The row''s version after the change.';
comment on column tiercache.cache_changes.writer is 'The row''s writer after the change.';
comment on column tiercache.cache_changes.invalidated_at is 'The row''s invalidated_at after the change.';
comment on column tiercache.cache_changes.at is
  'When the transaction began, by the server''s clock: changes are purged by it.';

revoke all on function tiercache.transaction_history() from public;
revoke all on function tiercache.begin_write(integer) from public;
revoke all on function tiercache.erase_matching_piece(
  text, integer, text, bytea, text, text, text, bigint, bigint, bigint) from public;

do $$
declare
  v_role text;
begin
  for v_role in select rolname from pg_catalog.pg_roles where rolname in ('anon', 'authenticated') loop
    execute format('revoke all on all functions in schema tiercache from %I', v_role);
  end loop;
  if exists (select from pg_catalog.pg_roles where rolname = 'service_role') then
    grant execute on all functions in schema tiercache to service_role;
  end if;
end
$$;

-- Programs of schemas 1 and 2 go on working; their feeds still wait for open transactions.
update tiercache.schema_version set version = 3, applied_at = now();
