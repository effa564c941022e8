/**
 * `settle_after_ms` (Unix time) is when the sweep may take up an order that is still open; it is NULL once the order is PAID or
 * CANCELLED, so its index holds open orders only. It is also the claim of whoever works on the order: see `store.ts`.
 */
export const schema: readonly string[] = [
  `CREATE TABLE orders (
    id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL,
    idempotency_key VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    status ENUM('CREATED', 'PENDING', 'PAID', 'CANCELLING', 'CANCELLED') NOT NULL,
    total_cents BIGINT NOT NULL,
    settle_after_ms BIGINT NULL,
    UNIQUE KEY once (user_id, idempotency_key),
    KEY open_orders (settle_after_ms)
  ) ENGINE = InnoDB`,
  `CREATE TABLE order_lines (
    order_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    product_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    quantity INT NOT NULL CHECK (quantity > 0),
    price_cents BIGINT NOT NULL,
    PRIMARY KEY (order_id, product_id)
  ) ENGINE = InnoDB`,
];
