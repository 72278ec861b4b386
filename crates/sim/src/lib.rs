//! Ropewalk's simulated driver: virtual time and a seeded network full of faults.
