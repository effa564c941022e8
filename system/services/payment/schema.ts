/** A row of `payments` is money taken, once for each order. An account is opened with the first charge. */
export const schema: readonly string[] = [
  `CREATE TABLE accounts (
    user_id BIGINT NOT NULL PRIMARY KEY,
    balance_cents BIGINT NOT NULL CHECK (balance_cents >= 0)
  ) ENGINE = InnoDB`,
  `CREATE TABLE payments (
    order_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL,
    amount_cents BIGINT NOT NULL CHECK (amount_cents >= 0),
    status ENUM('PAID') NOT NULL
  ) ENGINE = InnoDB`,
];
