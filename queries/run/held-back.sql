-- Which connections were let through and are kept out of the rules, and why?
SELECT reason, initiator_address, responder_address, protocol, port, records, id
FROM 'connections.parquet'
WHERE reason IS NOT NULL
ORDER BY reason, initiator_address, responder_address, protocol, port;
