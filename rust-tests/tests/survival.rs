//! The daemon is killed again and again, at any moment, under load: nobody notices. `REWAKE_SURVIVAL_KILLS` says how often (20),
//! `REWAKE_SURVIVAL_SEED` which moments.

mod survival {
    mod crashes;
    mod kills;
    mod load;
    mod messages;
}
