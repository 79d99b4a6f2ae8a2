-- What does each group of responders offer, and to how many clients?
SELECT responder_groups, protocol, port, count(DISTINCT initiator_address) AS clients, sum(records)::DOUBLE AS records
FROM 'connections.parquet'
WHERE verdict = 'accepted' AND responder_groups <> ''
GROUP BY ALL
ORDER BY responder_groups, protocol, port;
