-- A table over text flow logs in S3, with partition projection.
-- See vpc-flow-logs-partition-projection.html. Of the default layout and format; of another format, name its fields in its order, with _ for -.
CREATE EXTERNAL TABLE IF NOT EXISTS {{table}} (
    version int,
    account_id string,
    interface_id string,
    srcaddr string,
    dstaddr string,
    srcport int,
    dstport int,
    protocol bigint,
    packets bigint,
    bytes bigint,
    start bigint,
    `end` bigint,
    action string,
    log_status string
)
PARTITIONED BY (accid string, region string, day string)
ROW FORMAT DELIMITED FIELDS TERMINATED BY ' '
LOCATION '{{location}}/AWSLogs/'
TBLPROPERTIES (
    'skip.header.line.count' = '1',
    'projection.enabled' = 'true',
    'projection.accid.type' = 'enum',
    'projection.accid.values' = '{{accounts}}',
    'projection.region.type' = 'enum',
    'projection.region.values' = '{{regions}}',
    'projection.day.type' = 'date',
    'projection.day.range' = '2020/01/01,NOW',
    'projection.day.format' = 'yyyy/MM/dd',
    'storage.location.template' = '{{location}}/AWSLogs/${accid}/vpcflowlogs/${region}/${day}'
)
