-- What an audit is made of: the flows of a time, folded as `closegate ingest` folds them. Partial results of several
-- times add up exactly: sums, minima, maxima, and the days that rows touch are part of what rows are grouped by.
WITH flow_rows AS (
{{flow_rows}}
),
-- Overlapping flow logs record the same packets each (flow-logs-s3-path.html); a row is counted once.
once AS (
    SELECT
        status, interface_id, src, dst, src_port, dst_port, protocol, action, start_time, end_time,
        count(*) AS copies,
        max(packets) AS most_packets,
        max(bytes) AS most_bytes,
        max(syn) AS any_syn,
        max(syn_ack) AS any_syn_ack,
        max(egress) AS any_egress,
        max(ingress) AS any_ingress,
        max(src_rewritten) AS any_src_rewritten,
        max(dst_rewritten) AS any_dst_rewritten,
        min(src_service) AS least_src_service,
        min(dst_service) AS least_dst_service
    FROM flow_rows
    GROUP BY status, interface_id, src, dst, src_port, dst_port, protocol, action, start_time, end_time
),
-- What a port says of its end, as src/flow/presume.rs has it: the end that is the client takes a new port for every
-- connection, and only a few of them are worth keeping.
classed AS (
    SELECT
        *,
        CASE WHEN src_port IN ({{listeners}}) THEN 1 WHEN src_port < 1024 THEN 0 WHEN src_port >= 32768 THEN 3 ELSE 2 END AS src_class,
        CASE WHEN dst_port IN ({{listeners}}) THEN 1 WHEN dst_port < 1024 THEN 0 WHEN dst_port >= 32768 THEN 3 ELSE 2 END AS dst_class
    FROM once
),
presumed AS (
    SELECT
        *,
        CASE
            WHEN status <> 'OK' OR protocol NOT IN (6, 17) THEN 'neither'
            WHEN src_class + dst_class = 1 THEN 'neither'
            WHEN src_class > dst_class AND NOT (protocol = 6 AND any_syn_ack = 1) THEN 'src'
            WHEN src_class < dst_class AND NOT (protocol = 6 AND any_syn = 1) THEN 'dst'
            ELSE 'neither'
        END AS dropped
    FROM classed
),
keyed AS (
    SELECT
        *,
        CASE dropped WHEN 'src' THEN 0 ELSE src_port END AS kept_src_port,
        CASE dropped WHEN 'dst' THEN 0 ELSE dst_port END AS kept_dst_port,
        CASE dropped WHEN 'src' THEN src_port WHEN 'dst' THEN dst_port ELSE 0 END AS dropped_port,
        start_time - start_time % 86400 AS first_day,
        end_time - end_time % 86400 AS last_day
    FROM presumed
),
-- Of the dropped ports, src/flow/ports.rs keeps the smallest few, and whether there are more.
ranked AS (
    SELECT
        *,
        dense_rank() OVER (
            PARTITION BY status, interface_id, src, dst, kept_src_port, kept_dst_port, protocol, action, dropped, first_day, last_day
            ORDER BY dropped_port
        ) AS place
    FROM keyed
)
SELECT
    status, interface_id, src, dst,
    kept_src_port AS src_port,
    kept_dst_port AS dst_port,
    protocol, action, dropped, first_day, last_day,
    {{integer:sum(CASE status WHEN 'bad' THEN copies ELSE 1 END)}} AS records,
    {{integer:sum(CASE status WHEN 'bad' THEN 0 ELSE copies - 1 END)}} AS duplicates,
    -- Sums of what a hostile log claims may be larger than any integer of an engine.
    {{text:sum(most_packets)}} AS packets,
    {{text:sum(most_bytes)}} AS bytes,
    min(start_time) AS first_seen,
    max(end_time) AS last_seen,
    {{integer:max(any_syn)}} AS syn,
    {{integer:max(any_syn_ack)}} AS syn_ack,
    {{integer:max(any_egress)}} AS egress,
    {{integer:max(any_ingress)}} AS ingress,
    {{integer:max(any_src_rewritten)}} AS src_rewritten,
    {{integer:max(any_dst_rewritten)}} AS dst_rewritten,
    min(least_src_service) AS src_service,
    min(least_dst_service) AS dst_service,
    {{text:min(dropped_port)}}
        || coalesce(' ' || {{text:max(CASE place WHEN 2 THEN dropped_port END)}}, '')
        || coalesce(' ' || {{text:max(CASE place WHEN 3 THEN dropped_port END)}}, '')
        || coalesce(' ' || {{text:max(CASE place WHEN 4 THEN dropped_port END)}}, '')
        || coalesce(' ' || {{text:max(CASE place WHEN 5 THEN dropped_port END)}}, '') AS ports
FROM ranked
GROUP BY status, interface_id, src, dst, kept_src_port, kept_dst_port, protocol, action, dropped, first_day, last_day
