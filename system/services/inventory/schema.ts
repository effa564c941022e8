/**
 * A reservation is what an order took: `REDUCED` while it has it, `RESTORED` once it was given back. A `RESTORED` reservation
 * without lines is a tombstone: the order was cancelled before it took anything, and must not take anything later.
 */
export const schema: readonly string[] = [
  `CREATE TABLE stock (
    product_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    available BIGINT NOT NULL CHECK (available >= 0)
  ) ENGINE = InnoDB`,
  `CREATE TABLE reservations (
    order_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    state ENUM('REDUCED', 'RESTORED') NOT NULL
  ) ENGINE = InnoDB`,
  `CREATE TABLE reservation_lines (
    order_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    product_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    quantity INT NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (order_id, product_id)
  ) ENGINE = InnoDB`,
];
