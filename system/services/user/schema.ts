/** Mobile numbers are stored as they were given and found by their unique key; passwords only as salted hashes (`password.ts`). */
export const schema: readonly string[] = [
  `CREATE TABLE users (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    mobile CHAR(11) CHARACTER SET ascii COLLATE ascii_bin NOT NULL UNIQUE,
    name VARCHAR(64) NOT NULL,
    password_hash VARCHAR(120) CHARACTER SET ascii COLLATE ascii_bin NOT NULL
  ) ENGINE = InnoDB CHARACTER SET utf8mb4`,
];
