-- Which doors are knocked at in vain?
SELECT protocol, port, count(*) AS connections, count(DISTINCT initiator_address) AS initiators
FROM 'connections.parquet'
WHERE verdict = 'refused'
GROUP BY ALL
ORDER BY connections DESC, protocol, port;
