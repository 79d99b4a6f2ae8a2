-- Which accepted connections does the change not cover, and why?
SELECT verdict, reason, initiator_address, responder_address, protocol, port, records, id
FROM 'connections.parquet'
WHERE verdict IN ('quarantined', 'unattributed')
ORDER BY reason, initiator_address, responder_address, protocol, port;
