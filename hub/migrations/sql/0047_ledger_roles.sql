-- The application's role: it owns nothing, so no trigger can be switched off and no table changed by it. It may read and
-- write the rooms' tables, where triggers watch it; it may not write the ledger's, which only the engine's functions do,
-- nor the rules that triggers go by. A login of the application is a member of it. (Roles belong to the whole cluster.)
DO $$ BEGIN
    CREATE ROLE concord_app NOLOGIN;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
    WHEN insufficient_privilege THEN RAISE NOTICE 'concord_app is not there and may not be made: nothing is granted';
END $$;

DO $$ DECLARE s text; t text; BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'concord_app') THEN
        RETURN;
    END IF;
    FOREACH s IN ARRAY ARRAY['exchange', 'registry', 'mediation', 'escrow'] LOOP
        IF EXISTS (SELECT FROM pg_namespace WHERE nspname = s) THEN
            EXECUTE format('GRANT USAGE ON SCHEMA %I TO concord_app', s);
            EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO concord_app', s);
            EXECUTE format('GRANT USAGE ON ALL SEQUENCES IN SCHEMA %I TO concord_app', s);
            EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO concord_app', s);
            EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT USAGE ON SEQUENCES TO concord_app', s);
        END IF;
    END LOOP;
    FOR s, t IN SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                 WHERE c.relkind IN ('r', 'p', 'v') AND (n.nspname = 'escrow' AND c.relname LIKE 'ledger\_%'
                    OR n.nspname = 'escrow' AND c.relname IN ('account_kind', 'entry_kind', 'entry_rule', 'act_role', 'tier')
                    OR n.nspname = 'exchange' AND c.relname IN ('clock', 'state_move')) LOOP
        EXECUTE format('REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON %I.%I FROM concord_app', s, t);
    END LOOP;
    FOR s, t IN SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                 WHERE c.relkind = 'S' AND n.nspname = 'escrow' AND c.relname LIKE 'ledger\_%' LOOP
        EXECUTE format('REVOKE ALL ON SEQUENCE %I.%I FROM concord_app', s, t);
    END LOOP;
END $$;

-- The engine for the application alone; what one of its functions calls, it calls with its owner's rights.
DO $$ DECLARE f regprocedure; BEGIN
    FOR f IN SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
              WHERE n.nspname = 'escrow' AND p.proname IN ('ledger_apply_transfers', 'ledger_create_transfers', 'ledger_create_accounts',
                    'ledger_freeze_account', 'ledger_keep_proof', 'ledger_commit_transfers') LOOP
        EXECUTE format('REVOKE ALL ON ROUTINE %s FROM PUBLIC', f);
        IF f::text NOT LIKE 'escrow.ledger_apply%' AND EXISTS (SELECT FROM pg_roles WHERE rolname = 'concord_app') THEN
            EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO concord_app', f);
        END IF;
    END LOOP;
END $$;
