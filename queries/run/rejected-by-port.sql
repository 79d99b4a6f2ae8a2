-- Which ports are rejected most often?
SELECT protocol, port, count(*) AS connections, count(DISTINCT initiator_address) AS initiators
FROM 'connections.parquet'
WHERE verdict = 'rejected'
GROUP BY ALL
ORDER BY connections DESC, protocol, port;
