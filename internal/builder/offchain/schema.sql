-- Tables of the projection, the same in both dialects. BYTES, CLUSTERED and SEARCHED are
-- replaced by what the dialect calls them. Times are microseconds since 1970,
-- truth values 0 and 1, hashes and addresses lower case with 0x.

CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE counter (name TEXT PRIMARY KEY, next INTEGER NOT NULL);

CREATE TABLE ledger (id INTEGER PRIMARY KEY, name TEXT NOT NULL, display_name TEXT NOT NULL);
CREATE TABLE connection (
    id INTEGER PRIMARY KEY, ledger_id INTEGER NOT NULL, endpoint TEXT NOT NULL, kind TEXT NOT NULL,
    funding_account TEXT NOT NULL, chain_id BIGINT NOT NULL, genesis TEXT NOT NULL,
    next_block BIGINT NOT NULL, last_hash TEXT NOT NULL);

CREATE TABLE application (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, version INTEGER NOT NULL, display_name TEXT NOT NULL,
    description TEXT NOT NULL, enabled INTEGER NOT NULL, archived INTEGER NOT NULL, created_by INTEGER NOT NULL,
    created_at BIGINT NOT NULL, entry TEXT NOT NULL, UNIQUE (name, version));
CREATE TABLE role (
    id INTEGER PRIMARY KEY, application_id INTEGER NOT NULL, name TEXT NOT NULL, description TEXT NOT NULL);
CREATE TABLE person (
    id INTEGER PRIMARY KEY, external_id TEXT NOT NULL UNIQUE, first_name TEXT NOT NULL, last_name TEXT NOT NULL,
    email TEXT NOT NULL, client INTEGER NOT NULL, status INTEGER NOT NULL, created_at BIGINT NOT NULL);
CREATE TABLE account (
    id INTEGER PRIMARY KEY, person_id INTEGER NOT NULL, connection_id INTEGER NOT NULL, address TEXT NOT NULL,
    UNIQUE (person_id, connection_id), UNIQUE (connection_id, address));
CREATE TABLE assignment (
    id INTEGER PRIMARY KEY, application_id INTEGER NOT NULL, role_id INTEGER NOT NULL, person_id INTEGER NOT NULL,
    assigned_by INTEGER NOT NULL, assigned_at BIGINT NOT NULL, UNIQUE (role_id, person_id));
CREATE TABLE code (
    id INTEGER PRIMARY KEY, application_id INTEGER NOT NULL, ledger_id INTEGER NOT NULL, file_name TEXT NOT NULL,
    size INTEGER NOT NULL, created_by INTEGER NOT NULL, created_at BIGINT NOT NULL,
    file BYTES NOT NULL, output TEXT NOT NULL, UNIQUE (application_id, ledger_id));

CREATE TABLE workflow (
    id INTEGER PRIMARY KEY, application_id INTEGER NOT NULL, name TEXT NOT NULL, display_name TEXT NOT NULL,
    description TEXT NOT NULL, constructor_id INTEGER NOT NULL, start_state_id INTEGER NOT NULL);
CREATE TABLE data_type (
    id INTEGER PRIMARY KEY, application_id INTEGER NOT NULL, name TEXT NOT NULL, element_type_id INTEGER NOT NULL);
CREATE TABLE workflow_function (
    id INTEGER PRIMARY KEY, workflow_id INTEGER NOT NULL, constructor INTEGER NOT NULL, name TEXT NOT NULL,
    display_name TEXT NOT NULL, description TEXT NOT NULL);
CREATE TABLE function_parameter (
    id INTEGER PRIMARY KEY, function_id INTEGER NOT NULL, name TEXT NOT NULL, display_name TEXT NOT NULL,
    description TEXT NOT NULL, type_id INTEGER NOT NULL);
CREATE INDEX function_parameter_function ON function_parameter (function_id);
CREATE TABLE workflow_property (
    id INTEGER PRIMARY KEY, workflow_id INTEGER NOT NULL, name TEXT NOT NULL, display_name TEXT NOT NULL,
    description TEXT NOT NULL, type_id INTEGER NOT NULL);
CREATE TABLE workflow_state (
    id INTEGER PRIMARY KEY, workflow_id INTEGER NOT NULL, name TEXT NOT NULL, display_name TEXT NOT NULL,
    description TEXT NOT NULL, percent_complete INTEGER NOT NULL, value INTEGER NOT NULL, style TEXT NOT NULL);

CREATE TABLE contract (
    id INTEGER PRIMARY KEY, application_id INTEGER NOT NULL, workflow_id INTEGER NOT NULL, code_id INTEGER NOT NULL,
    connection_id INTEGER NOT NULL, status INTEGER NOT NULL, address TEXT, found INTEGER NOT NULL,
    deployed_by INTEGER NOT NULL, created_at BIGINT NOT NULL, request_id TEXT NOT NULL, state_id INTEGER NOT NULL,
    state TEXT NOT NULL, modified_at BIGINT NOT NULL, modified_by INTEGER NOT NULL, last_action_id INTEGER NOT NULL,
    block_number BIGINT NOT NULL, property_values BYTES NOT NULL, unread TEXT NOT NULL);
CREATE INDEX contract_address ON contract (address, connection_id) WHERE address IS NOT NULL;
CREATE INDEX contract_workflow ON contract (workflow_id, id);
CREATE INDEX contract_state ON contract (workflow_id, state_id, id);
CREATE INDEX contract_status ON contract (workflow_id, status, id);
CREATE INDEX contract_modified ON contract (workflow_id, modified_at, id);
-- How many contracts there are in each state with ids of a range: for totals,
-- and to find a page in the middle without walking there.
CREATE TABLE contract_count (
    workflow_id INTEGER NOT NULL, state_id INTEGER NOT NULL, bucket INTEGER NOT NULL, n INTEGER NOT NULL,
    PRIMARY KEY (workflow_id, state_id, bucket)) CLUSTERED;

-- The present value of each property, and beside it what is searched: the
-- first 64 characters in lower case.
CREATE TABLE property_value (
    contract_id INTEGER NOT NULL, property_id INTEGER NOT NULL, value TEXT NOT NULL, folded SEARCHED NOT NULL,
    PRIMARY KEY (contract_id, property_id)) CLUSTERED;
CREATE INDEX property_value_folded ON property_value (property_id, folded, contract_id);
-- Every value that a property had, from which block on.
CREATE TABLE past_value (
    contract_id INTEGER NOT NULL, property_id INTEGER NOT NULL, block_number BIGINT NOT NULL, block_id INTEGER NOT NULL,
    at BIGINT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (contract_id, property_id, block_number)) CLUSTERED;
CREATE INDEX past_value_block ON past_value (block_id);

CREATE TABLE action (
    id INTEGER PRIMARY KEY, application_id INTEGER NOT NULL, contract_id INTEGER NOT NULL, connection_id INTEGER NOT NULL,
    function_id INTEGER NOT NULL, function_name TEXT NOT NULL, person_id INTEGER NOT NULL, from_address TEXT NOT NULL,
    caller_contract_id INTEGER NOT NULL, status INTEGER NOT NULL, found INTEGER NOT NULL, at BIGINT NOT NULL,
    request_id TEXT NOT NULL, arguments BYTES NOT NULL, sequence INTEGER NOT NULL, state_id INTEGER NOT NULL,
    error_code TEXT NOT NULL, error_message TEXT NOT NULL, revert_reason TEXT NOT NULL, hash TEXT NOT NULL,
    transaction_id INTEGER NOT NULL, block_id INTEGER NOT NULL);
CREATE INDEX action_contract ON action (contract_id, id);
CREATE INDEX action_pending ON action (connection_id, id) WHERE status < 2;
CREATE UNIQUE INDEX action_request ON action (person_id, request_id) WHERE request_id <> '';
CREATE INDEX action_block ON action (block_id);
CREATE INDEX action_application ON action (application_id, connection_id, transaction_id) WHERE transaction_id > 0;
CREATE TABLE argument (
    action_id INTEGER NOT NULL, position INTEGER NOT NULL, parameter_id INTEGER NOT NULL, name TEXT NOT NULL,
    value TEXT NOT NULL, PRIMARY KEY (action_id, position)) CLUSTERED;
CREATE TABLE signed (
    connection_id INTEGER NOT NULL, hash TEXT NOT NULL, position INTEGER NOT NULL, action_id INTEGER NOT NULL,
    person_id INTEGER NOT NULL, from_address TEXT NOT NULL, nonce BIGINT NOT NULL, raw BYTES NOT NULL, at BIGINT NOT NULL,
    PRIMARY KEY (connection_id, hash)) CLUSTERED;
CREATE INDEX signed_action ON signed (action_id);

CREATE TABLE block (
    id INTEGER PRIMARY KEY, connection_id INTEGER NOT NULL, number BIGINT NOT NULL, hash TEXT NOT NULL,
    parent TEXT NOT NULL, time BIGINT NOT NULL, UNIQUE (connection_id, number));
CREATE TABLE ledger_transaction (
    id INTEGER PRIMARY KEY, connection_id INTEGER NOT NULL, block_id INTEGER NOT NULL, hash TEXT NOT NULL,
    from_address TEXT NOT NULL, to_address TEXT, value TEXT NOT NULL, ours INTEGER NOT NULL, status INTEGER NOT NULL,
    tx_id TEXT NOT NULL, UNIQUE (connection_id, hash));
CREATE INDEX ledger_transaction_connection ON ledger_transaction (connection_id, id);
CREATE INDEX ledger_transaction_block ON ledger_transaction (block_id);

INSERT INTO ledger (id, name, display_name) VALUES (1, 'Ethereum', 'Ethereum');
-- Whoever is not known: deployer and caller of what came from outside.
INSERT INTO person (id, external_id, first_name, last_name, email, client, status, created_at) VALUES (0, '', '', '', '', 0, 0, 0);
INSERT INTO data_type (id, application_id, name, element_type_id) VALUES
    (1, 0, 'state', 0), (2, 0, 'string', 0), (3, 0, 'money', 0), (4, 0, 'int', 0), (5, 0, 'bool', 0), (6, 0, 'time', 0),
    (7, 0, 'address', 0), (8, 0, 'user', 0), (9, 0, 'contract', 0), (10, 0, 'enum', 0), (11, 0, 'array', 0),
    (12, 0, 'struct', 0), (13, 0, 'image', 0), (14, 0, 'document', 0);
