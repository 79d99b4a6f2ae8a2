    SELECT
        status, start_time, end_time, src_rewritten, dst_rewritten,
        CASE WHEN status <> 'bad' THEN place END AS interface_id,
        CASE WHEN status = 'OK' THEN sender END AS src,
        CASE WHEN status = 'OK' THEN receiver END AS dst,
        CASE WHEN status = 'OK' AND protocol_number IN (6, 17) THEN src_number ELSE 0 END AS src_port,
        CASE WHEN status = 'OK' AND protocol_number IN (6, 17) THEN dst_number ELSE 0 END AS dst_port,
        CASE WHEN status = 'OK' THEN protocol_number END AS protocol,
        CASE WHEN status = 'OK' THEN verdict END AS action,
        CASE WHEN status = 'OK' THEN coalesce(packet_count, 0) ELSE 0 END AS packets,
        CASE WHEN status = 'OK' THEN coalesce(byte_count, 0) ELSE 0 END AS bytes,
        CASE WHEN status = 'OK' AND way = 'egress' THEN 1 ELSE 0 END AS egress,
        CASE WHEN status = 'OK' AND way = 'ingress' THEN 1 ELSE 0 END AS ingress,
        -- SYN is 2 and ACK is 16 (flow-log-records.html).
        CASE WHEN status = 'OK' AND protocol_number = 6 AND flags % 4 >= 2 AND flags % 32 < 16 THEN 1 ELSE 0 END AS syn,
        CASE WHEN status = 'OK' AND protocol_number = 6 AND flags % 4 >= 2 AND flags % 32 >= 16 THEN 1 ELSE 0 END AS syn_ack,
        CASE WHEN status = 'OK' THEN sender_service END AS src_service,
        CASE WHEN status = 'OK' THEN receiver_service END AS dst_service
    FROM (
        SELECT
            *,
            -- The order in which src/ingest/row.rs reads a record.
            CASE
                WHEN start_time IS NULL OR end_time IS NULL OR end_time < start_time OR end_time >= 4294967296 THEN 'bad'
                WHEN log_status IN ('NODATA', 'SKIPDATA') THEN log_status
                WHEN log_status IS NULL AND sender IS NULL AND receiver IS NULL THEN 'NODATA'
                WHEN log_status <> 'OK' OR sender IS NULL OR receiver IS NULL THEN 'bad'
                WHEN protocol_number IS NULL OR protocol_number > 255 THEN 'bad'
                -- TCP and UDP without a port are malformed: port 0 would be a service that the logs don't show.
                WHEN protocol_number IN (6, 17) AND (coalesce(src_number, 65536) > 65535 OR coalesce(dst_number, 65536) > 65535) THEN 'bad'
                WHEN protocol_number = 6 AND tcp_flags IS NOT NULL AND flags IS NULL THEN 'bad'
                WHEN packet_text IS NOT NULL AND packet_count IS NULL OR byte_text IS NOT NULL AND byte_count IS NULL THEN 'bad'
                WHEN coalesce(verdict, '-') NOT IN ('ACCEPT', 'REJECT') THEN 'bad'
                ELSE 'OK'
            END AS status
        FROM (
            SELECT
                *,
                -- Old logs have milliseconds.
                CASE WHEN first_number >= 100000000000 THEN {{integer:substr(first_text, 1, length(first_text) - 3)}} ELSE first_number END AS start_time,
                CASE
                    WHEN last_text IS NULL AND first_number >= 100000000000 THEN {{integer:substr(first_text, 1, length(first_text) - 3)}}
                    WHEN last_text IS NULL THEN first_number
                    WHEN last_number >= 100000000000 THEN {{integer:substr(last_text, 1, length(last_text) - 3)}}
                    ELSE last_number
                END AS end_time
            FROM (
                SELECT
                    log_status, verdict, way, sender_service, receiver_service, tcp_flags, packet_text, byte_text, first_text, last_text,
                    coalesce(shown_place, resource, '-') AS place,
                    coalesce(packet_sender, shown_sender) AS sender,
                    coalesce(packet_receiver, shown_receiver) AS receiver,
                    CASE WHEN shown_sender <> packet_sender THEN 1 ELSE 0 END AS src_rewritten,
                    CASE WHEN shown_receiver <> packet_receiver THEN 1 ELSE 0 END AS dst_rewritten,
                    CASE WHEN {{digits:src_text}} THEN {{integer:src_text}} END AS src_number,
                    CASE WHEN {{digits:dst_text}} THEN {{integer:dst_text}} END AS dst_number,
                    CASE WHEN {{digits:protocol_text}} THEN {{integer:protocol_text}} END AS protocol_number,
                    CASE WHEN {{digits:packet_text}} THEN {{decimal:packet_text}} END AS packet_count,
                    CASE WHEN {{digits:byte_text}} THEN {{decimal:byte_text}} END AS byte_count,
                    CASE WHEN {{digits:first_text}} THEN {{integer:first_text}} END AS first_number,
                    CASE WHEN {{digits:last_text}} THEN {{integer:last_text}} END AS last_number,
                    -- Only their low bits count, and those are in the last digits.
                    CASE WHEN {{digits:tcp_flags}} THEN {{integer:CASE WHEN length(tcp_flags) > 18 THEN substr(tcp_flags, 15) ELSE tcp_flags END}} END AS flags
                FROM (
                    SELECT
{{columns}}
                    FROM {{from}}
                    WHERE {{partitions}}
                ) AS logged
            ) AS numbered
        ) AS timed
    ) AS judged
    WHERE (status = 'bad' OR {{window}}) AND {{is_record}}
