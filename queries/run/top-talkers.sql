-- Who moves the most data? Run it in a run's directory: duckdb < top-talkers.sql
SELECT initiator_address, responder_address, protocol, port, sum(bytes)::DOUBLE AS bytes, sum(records)::DOUBLE AS records
FROM 'connections.parquet'
GROUP BY ALL
ORDER BY bytes DESC, initiator_address, responder_address, protocol, port
LIMIT 25;
