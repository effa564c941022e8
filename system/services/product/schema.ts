/** `position` is the place in the catalogue, from 1. */
export const schema: readonly string[] = [
  `CREATE TABLE products (
    id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    position INT NOT NULL UNIQUE,
    name VARCHAR(100) NOT NULL,
    description VARCHAR(1000) NOT NULL,
    price_cents BIGINT NOT NULL CHECK (price_cents > 0)
  ) ENGINE = InnoDB CHARACTER SET utf8mb4`,
];
