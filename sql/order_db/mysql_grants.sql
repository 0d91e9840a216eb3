-- mysql_grants.sql: run in order_db on MySQL 8 or MariaDB 10.6+ by a user that may grant:
--
--   mysql order_db < sql/order_db/mysql_grants.sql
--
-- Lets the user order_ro read the orders and nothing else. Make it first, with a password of your
-- own and from the host that the batch runs on; no password stands here:
--
--   CREATE USER 'order_ro'@'10.0.0.5' IDENTIFIED BY '...' REQUIRE SSL WITH MAX_USER_CONNECTIONS 4;
--
-- and name that host here. Safe to run again.

SET @reader = '''order_ro''@''%''';

SET @statement = CONCAT('GRANT SELECT ON `', DATABASE(), '`.`orders` TO ', @reader);
PREPARE grant_one FROM @statement;
EXECUTE grant_one;

SET @statement = CONCAT('GRANT SELECT ON `', DATABASE(), '`.`order_items` TO ', @reader);
PREPARE grant_one FROM @statement;
EXECUTE grant_one;

-- Refunds are optional.
SET @statement = IF(
    EXISTS (SELECT 1 FROM information_schema.tables
             WHERE table_schema = DATABASE() AND table_name = 'order_refunds'),
    CONCAT('GRANT SELECT ON `', DATABASE(), '`.`order_refunds` TO ', @reader),
    'DO 0');
PREPARE grant_one FROM @statement;
EXECUTE grant_one;
DEALLOCATE PREPARE grant_one;
