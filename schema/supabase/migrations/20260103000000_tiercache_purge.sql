-- tiercache, schema 2: tombstones are purged after their retention, and the project remembers how far.
-- docs/decisions/0028-retention-and-horizon.md says what that is for.

-- The highest version of all tombstones that were ever purged in the project.
alter table tiercache.projects
  add column horizon_version bigint,
  add column horizon_writer  bigint;

create index idx_tombstones on tiercache.cache_storage (project_id, version, writer) where deleted;

-- A document that has no row and is not above the horizon may have been erased since it was written, by
-- a tombstone that is purged by now, because its writer was away for longer than tombstones are kept. The
-- error is of class 22, by which the library sorts this one write out of its batch and parks it.
create function tiercache.refuse_purged() returns trigger
language plpgsql set search_path = '' as $$
begin
  if exists (
    select from tiercache.projects p
    where p.id = new.project_id
      and (new.version, new.writer) <= (p.horizon_version, p.horizon_writer))
  then
    raise exception 'older than what was purged' using errcode = '22P99';
  end if;
  return new;
end
$$;

-- Only documents older than half a day are checked: no tombstone is purged that early, and so new writes
-- cost nothing more.
create trigger refuse_purged before insert on tiercache.cache_storage
for each row when (
  not new.deleted and new.version / 65536 < extract(epoch from now()) * 1000 - 43200000)
execute function tiercache.refuse_purged();

-- Purges at most `p_limit` rows. First, documents that were last fetched before the time given for their
-- dataset become tombstones one tick above their version. Then, if the limit leaves room, tombstones below
-- the given version are deleted, the oldest first, and the horizon moves up to the highest of them. Rows
-- that others have locked are left for the next time.
create function tiercache.purge_entries(
  p_project text, p_lock_timeout_ms integer, p_types text[], p_fetched_before bigint[],
  p_below_version bigint, p_below_writer bigint, p_limit bigint)
returns table (
  documents bigint, tombstones bigint, now_ms bigint, horizon_version bigint,
  horizon_writer bigint, incarnation text)
language plpgsql set search_path = '' as $$
#variable_conflict use_column
declare
  v_project bigint;
  v_documents bigint := 0;
  v_tombstones bigint := 0;
begin
  perform set_config('lock_timeout', p_lock_timeout_ms::text, true);
  select p.id into v_project from tiercache.projects p where p.project_name = p_project;

  with victims as materialized (
    select c.id
    from unnest(p_types, p_fetched_before) as e (type, before_ms)
    join tiercache.cache_storage c on c.project_id = v_project
      and c.cache_type = e.type collate "C"
    where not c.deleted and c.last_fetch < tiercache.time_of_ms(e.before_ms)
    limit p_limit
    for no key update of c skip locked
  ), expired as (
    update tiercache.cache_storage c set
      data = null, data_size = 0, metadata = '{}', updated_at = clock_timestamp(),
      deleted = true, version = c.version + 1, fresh_for_ms = null,
      checksum = repeat('0', 32), stored_checksum = null
    from victims v where c.id = v.id
    returning c.project_id, c.cache_type, c.cache_key, c.version, c.writer, c.invalidated_at
  ), noted as (
    insert into tiercache.cache_changes (
      project_id, cache_type, cache_key, version, writer, invalidated_at)
    select * from expired
  )
  select count(*) into v_documents from expired;

  with old as materialized (
    select c.id
    from tiercache.cache_storage c
    where c.project_id = v_project and c.deleted
      and (c.version, c.writer) < (p_below_version, p_below_writer)
    order by c.version, c.writer
    limit greatest(p_limit - v_documents, 0)
    for update skip locked
  ), gone as (
    delete from tiercache.cache_storage c using old o where c.id = o.id
    returning c.version, c.writer
  ), highest as (
    select g.version, g.writer from gone g order by g.version desc, g.writer desc limit 1
  ), noted as (
    update tiercache.projects p set horizon_version = h.version, horizon_writer = h.writer
    from highest h
    where p.id = v_project and (p.horizon_version is null
      or (p.horizon_version, p.horizon_writer) < (h.version, h.writer))
  )
  select count(*) into v_tombstones from gone;

  return query
    select v_documents, v_tombstones, tiercache.ms_of_time(clock_timestamp()),
           p.horizon_version, p.horizon_writer, s.incarnation::text
    from tiercache.schema_version s
    left join tiercache.projects p on p.id = v_project;
end
$$;

-- To be called by whoever restores a backup, so that machines know that what they miss here was not
-- deleted.
create function tiercache.new_incarnation() returns uuid
language sql set search_path = '' as $$
  update tiercache.schema_version set incarnation = gen_random_uuid() returning incarnation
$$;

revoke all on function tiercache.refuse_purged() from public;
revoke all on function tiercache.purge_entries(
  text, integer, text[], bigint[], bigint, bigint, bigint) from public;
revoke all on function tiercache.new_incarnation() from public;

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

-- Programs of schema 1 go on working; they just never purge tombstones.
update tiercache.schema_version set version = 2, applied_at = now();
