-- The registry: who may see which field of which dispute (case_registry/data/access.toml), decided by the database too.
-- Readers work as concord_reader, which these policies bind; what a person is and looks for stands in settings of the
-- transaction (case_registry/access.py). Without settings nothing is seen.

CREATE TABLE registry.access_grant (       -- from access.toml, at each migration; the only source
    role       text NOT NULL,
    purpose    text NOT NULL,
    own_region boolean NOT NULL,
    own_agency boolean NOT NULL,
    sealed     boolean NOT NULL,
    class      text NOT NULL,
    PRIMARY KEY (role, purpose, class, own_region, own_agency, sealed)
);
CREATE TABLE registry.field_class (        -- from access.toml; a field without a row is of class "case"
    field text PRIMARY KEY,
    class text NOT NULL
);

ALTER TABLE exchange.staff ADD COLUMN region text NOT NULL DEFAULT ''; -- division code of the county; '' = the whole city
ALTER TABLE exchange.staff ADD COLUMN agency text NOT NULL DEFAULT ''; -- the agency acted for; '' = the hub
CREATE INDEX dispute_by_county ON registry.dispute (county, moved_at DESC, seq DESC) WHERE merged_into IS NULL;

DO $$ BEGIN
    CREATE ROLE concord_reader NOLOGIN;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
    WHEN insufficient_privilege THEN RAISE NOTICE 'concord_reader is not there and may not be made: have it made, then migrate again';
END $$;

CREATE FUNCTION registry.reader_setting(name text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(current_setting('concord.' || name, true), '')
$$;

-- One row against the rule. For those without a bound of their own see reader_everywhere, which is asked once a statement.
CREATE FUNCTION registry.reader_sees(kind text, at_county text, of_agencies text[], is_sealed boolean) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (SELECT 1 FROM registry.access_grant g
        WHERE g.role = ANY (string_to_array(registry.reader_setting('roles'), ','))
          AND g.purpose = registry.reader_setting('purpose') AND g.class = kind
          AND (NOT g.own_region OR registry.reader_setting('region') IN ('', at_county))
          AND (NOT g.own_agency OR registry.reader_setting('agency') = '' OR registry.reader_setting('agency') = ANY (of_agencies))
          AND (g.sealed OR NOT is_sealed));
END $$;

CREATE FUNCTION registry.reader_everywhere(kind text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (SELECT 1 FROM registry.access_grant g
        WHERE g.role = ANY (string_to_array(registry.reader_setting('roles'), ','))
          AND g.purpose = registry.reader_setting('purpose') AND g.class = kind
          AND (NOT g.own_region OR registry.reader_setting('region') = '')
          AND (NOT g.own_agency OR registry.reader_setting('agency') = ''));
END $$;

-- The same about what hangs on a dispute, a case or a statement. They look with their owner's rights: the policies of the
-- tables on the way would ask the same again.
CREATE FUNCTION registry.reader_sees_dispute(of uuid, kind text) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
DECLARE d record;
BEGIN
    SELECT county, agencies, sealed INTO d FROM registry.dispute WHERE id = of;
    RETURN FOUND AND registry.reader_sees(kind, d.county, d.agencies, d.sealed);
END $$;
CREATE FUNCTION registry.reader_sees_case(of bigint, kind text) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
DECLARE d record;
BEGIN
    SELECT x.county, x.agencies, x.sealed INTO d FROM registry.source_case c JOIN registry.dispute x ON x.id = c.dispute WHERE c.id = of;
    RETURN FOUND AND registry.reader_sees(kind, d.county, d.agencies, d.sealed);
END $$;
CREATE FUNCTION registry.reader_sees_claim(of bigint, of_field text) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    RETURN registry.reader_sees_case((SELECT source_case FROM registry.statement WHERE id = of),
        coalesce((SELECT class FROM registry.field_class WHERE field = of_field), 'case'));
END $$;
CREATE FUNCTION registry.reader_sees_party(of bigint) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    RETURN registry.reader_sees_case((SELECT source_case FROM registry.episode WHERE id = of), 'person');
END $$;
CREATE FUNCTION registry.reader_sees_clock(of uuid) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    RETURN registry.reader_sees_case((SELECT source_case FROM registry.clock WHERE id = of), 'way');
END $$;

-- A dispute's title and search text hold names: readers get neither from the table, the title by this.
CREATE FUNCTION registry.shown_title(of uuid) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
DECLARE d record;
BEGIN
    SELECT title, cause, county, agencies, sealed INTO d FROM registry.dispute WHERE id = of;
    IF current_setting('role') <> 'concord_reader' OR registry.reader_sees('person', d.county, d.agencies, d.sealed) THEN
        RETURN d.title;
    END IF;
    RETURN CASE WHEN registry.reader_sees('case', d.county, d.agencies, d.sealed) THEN d.cause ELSE '' END;
END $$;

-- Row-level security: the owner and the application's login work as before, readers see by the rule.
DO $$ DECLARE
    t text;
    readers text := CASE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = 'concord_reader') THEN 'concord_reader' END;
    shown constant jsonb := '{
        "dispute": "(NOT sealed AND (SELECT registry.reader_everywhere(''way''))) OR registry.reader_sees(''way'', county, agencies, sealed)",
        "source_case": "registry.reader_sees_dispute(dispute, ''way'')",
        "membership": "registry.reader_sees_dispute(dispute, ''way'') AND registry.reader_sees_case(source_case, ''way'')",
        "statement": "registry.reader_sees_case(source_case, CASE kind WHEN ''person_check'' THEN ''person'' ELSE ''way'' END)",
        "claim": "registry.reader_sees_claim(statement, field)",
        "episode": "registry.reader_sees_case(source_case, ''way'')",
        "party": "registry.reader_sees_party(episode)",
        "episode_edge": "registry.reader_sees_case(from_case, ''way'') AND registry.reader_sees_case(to_case, ''way'')",
        "link_edge": "registry.reader_sees_case(a, ''person'') AND registry.reader_sees_case(b, ''person'')",
        "link_decision": "registry.reader_sees_case(a, ''case'') AND registry.reader_sees_case(b, ''case'')",
        "proposal": "registry.reader_sees_case(a, ''person'') AND registry.reader_sees_case(b, ''person'')",
        "conflict": "registry.reader_sees_dispute(dispute, coalesce((SELECT f.class FROM registry.field_class f WHERE f.field = conflict.field), ''person''))",
        "flag": "registry.reader_sees_case(source_case, ''way'')",
        "outside_fact": "registry.reader_sees_case(source_case, ''case'')",
        "clock": "registry.reader_sees_case(source_case, ''way'')",
        "clock_event": "registry.reader_sees_clock(clock)",
        "referral": "registry.reader_sees_case(source_case, ''way'')",
        "gap_alarm": "registry.reader_sees_case(source_case, ''way'')",
        "factor": "registry.reader_sees_dispute(dispute, ''case'')",
        "factor_log": "registry.reader_sees_dispute(dispute, ''case'')",
        "indicator_note": "registry.reader_sees_case(source_case, ''case'')",
        "grade_override": "registry.reader_sees_case(source_case, ''case'')"}';
BEGIN
    IF readers IS NULL THEN
        RETURN;
    END IF;
    EXECUTE 'GRANT USAGE ON SCHEMA registry TO concord_reader';
    FOR t IN SELECT jsonb_object_keys(shown) LOOP
        EXECUTE format('ALTER TABLE registry.%I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY readers ON registry.%I FOR SELECT TO concord_reader USING (%s)', t, shown ->> t);
        IF t <> 'dispute' THEN
            EXECUTE format('GRANT SELECT ON registry.%I TO concord_reader', t);
        END IF;
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'concord_app') THEN
            EXECUTE format('CREATE POLICY application ON registry.%I TO concord_app USING (true) WITH CHECK (true)', t);
        END IF;
    END LOOP;
    EXECUTE (SELECT format('GRANT SELECT (%s) ON registry.dispute TO concord_reader', string_agg(quote_ident(attname), ', '))
               FROM pg_attribute WHERE attrelid = 'registry.dispute'::regclass AND attnum > 0 AND NOT attisdropped
                AND attname NOT IN ('title', 'search', 'grams'));
    EXECUTE 'GRANT SELECT ON registry.access_grant, registry.field_class TO concord_reader';
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'concord_app') THEN
        EXECUTE 'GRANT concord_reader TO concord_app WITH INHERIT FALSE, SET TRUE';
        EXECUTE 'REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON registry.access_grant, registry.field_class FROM concord_app';
    END IF;
END $$;
