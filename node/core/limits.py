"""Every bound on what a peer, a file or an operator may hand in; units stand in the names."""

from dataclasses import dataclass

NUMBERS_END = 1 << 63
"""No number of a message may reach it: whoever keeps one keeps it as a signed 64-bit integer."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one node; all of them are enforced before memory or disk is spent."""

    # Wire
    max_frame_bytes: int = 256 * 1024
    max_message_bytes: int = 4 * 1024 * 1024
    max_registry_file_bytes: int = 2 * 1024 * 1024
    max_registry_chunk_bytes: int = 64 * 1024
    max_in_flight_bytes_per_peer: int = 32 * 1024 * 1024
    max_concurrent_calls_per_peer: int = 16
    call_deadline_s: float = 30.0
    stream_idle_deadline_s: float = 60.0

    # Registry port, for each address: a cold start of 444 nodes fetches some 500 files
    registry_port_burst_calls: int = 5_000
    registry_port_calls_per_s: float = 200.0
    max_callers_counted: int = 10_000

    # Entries
    max_header_bytes: int = 64 * 1024
    max_body_bytes: int = 8 * 1024 * 1024
    max_record_bytes: int = 64 * 1024
    max_records_per_entry: int = 4096
    max_signatures_per_envelope: int = 8
    max_signature_bytes: int = 8 * 1024
    max_channel_name_chars: int = 64
    max_audience_terms: int = 64
    max_audience_node_ids: int = 4096
    max_title_chars: int = 120

    # Files that are published
    max_row_bytes: int = 128 * 1024
    max_sniffed_bytes: int = 64 * 1024
    max_title_rows: int = 30
    max_heading_chars: int = 200
    max_heading_columns: int = 1_000

    # Workbooks: the file, what it unpacks to, and what is kept of it at a time
    max_workbook_bytes: int = 512 * 1024 * 1024
    max_workbook_unpacked_bytes: int = 8 * 1024 * 1024 * 1024
    max_workbook_ratio: int = 250
    max_workbook_parts: int = 2_000
    max_workbook_directory_bytes: int = 1024 * 1024
    max_workbook_part_bytes: int = 16 * 1024 * 1024
    max_workbook_sheets: int = 100
    max_workbook_cache_bytes: int = 24 * 1024 * 1024
    max_sheet_rows: int = 1_048_576
    max_sheet_columns: int = 16_384
    max_cell_chars: int = 32_767
    max_xml_token_bytes: int = 1024 * 1024

    # Measures, and matters in which subjects are checked
    max_measures: int = 1_000
    max_matters: int = 2_000
    max_matter_units: int = 1_000
    max_matter_codes: int = 256

    # Vectors in Hello and receipts
    max_heads_per_hello: int = 10_000
    max_heartbeats_per_hello: int = 1_000
    max_addresses_per_hello: int = 1_000
    max_equivocations_per_hello: int = 16
    max_receipts_per_call: int = 256
    max_withheld_per_receipt: int = 64
    max_outcome_codes_per_receipt: int = 64

    # What is kept
    max_equivocations_kept: int = 1_000
    max_equivocations_per_origin: int = 16
    max_alarms_kept: int = 1_000
    max_channels_per_origin: int = 10_000
    max_address_bytes: int = 4 * 1024
    max_join_requests: int = 1_000
    max_join_requests_per_id: int = 16
    max_cut_leaves: int = 20_000
    max_open_proposals: int = 64
    max_reason_chars: int = 500
    max_decision_chars: int = 128
    max_descriptor_bytes: int = 32 * 1024
    max_head_report_bytes: int = 1024 * 1024

    # Officers of a node, and what waits for them
    max_held_rows: int = 10_000
    max_hold_age_ms: int = 30 * 24 * 3600 * 1000
    max_officers: int = 256
    max_officer_name_chars: int = 32
    max_statement_bytes: int = 8 * 1024
    max_statement_age_ms: int = 7 * 24 * 3600 * 1000

    # Joint lists
    max_legal_bases: int = 32
    max_list_changes: int = 1_000
    max_list_measures: int = 64
    max_list_operations: int = 200_000
    max_list_operations_per_entry: int = 250
    max_list_operations_waiting: int = 500_000
    max_list_term_months: int = 1_200
    max_list_text_chars: int = 2_000
    max_measure_code_chars: int = 32
    max_subject_name_chars: int = 200
    max_warrant_signatures: int = 4

    # Checks
    max_subjects_per_check: int = 100_000
    max_subjects_per_chunk: int = 10_000  # of a sweep, each an entry of the query log

    # Evidence
    max_evidence_bytes: int = 8 * 1024 * 1024
    max_evidence_files: int = 512
    max_evidence_receipts: int = 8
    max_evidence_acts: int = 64
    max_report_bytes: int = 32 * 1024 * 1024
    max_report_files: int = 4_096
    max_report_nodes: int = 4_096

    # Time
    max_clock_skew_ms: int = 5 * 60 * 1000
    max_time_unix_ms: int = 253_402_214_399_999
    max_proof_hashes: int = 63


DEFAULT_LIMITS = Limits()
