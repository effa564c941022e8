/** How many people have an account, and how many products there are (`sku-1` and on): what the mall is seeded with. */
export const population = { accounts: { count: 50 }, catalogue: { size: 200 } } as const;
