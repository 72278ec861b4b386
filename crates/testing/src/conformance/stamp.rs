//! The list of the rules, and the macro that makes a test of each.

/// Stamps the conformance suite on a driver: a module of this name, with a test for each rule.
///
/// The expression makes the [`Harness`](crate::conformance::Harness) of a test.
///
/// ```
/// use ropewalk_sim::SimDriver;
/// use ropewalk_testing::conformance;
/// use ropewalk_testing::conformance::Harness;
///
/// conformance!(sim, Harness::new(SimDriver::alone));
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! conformance {
    ($name:ident, $harness:expr) => {
        mod $name {
            #[allow(unused_imports, reason = "the expression may need nothing")]
            use super::*;

            fn harness() -> $crate::conformance::Harness {
                $harness
            }

            $crate::__stamp_streams! { harness }

            $crate::__stamp_rules! { harness =>
                life_cycle:
                    r001_a_stop_out_of_place_is_an_error
                    r002_calls_wait_for_the_start_in_order
                    r003_it_runs_after_startup_and_not_before
                    r004_a_stop_lets_the_pass_of_timed_calls_end
                    r005_hooks_run_phase_by_phase_once
                    r006_shutdown_waits_while_sockets_and_timers_work
                    r007_a_hook_that_panics_does_not_stop_the_others
                    r008_a_removed_hook_never_runs
                    r009_a_stop_gives_up_attempts
                    r009_a_stop_loses_what_is_open
                    r010_a_reactor_runs_once_and_others_after_it
                    r011_a_crash_runs_no_hook
                    r013_a_panic_in_a_call_is_logged_and_nothing_else_happens
                    r014_a_panic_in_a_protocol_ends_its_connection_only
                    r014_a_panic_in_any_callback_is_the_reason
                    r015_a_connection_given_up_within_a_batch_hears_nothing_more
                ;
                time:
                    r017_a_call_without_delay_runs_later
                    r018_a_call_of_a_timed_call_runs_in_the_next_pass
                    r018_endless_calls_do_not_starve_the_sockets
                    r018_endless_tasks_do_not_starve_the_sockets
                    r019_calls_run_in_order_and_not_early
                    r020_a_call_that_ran_cannot_be_changed
                    r021_reset_and_delay_move_a_call
                    r022_only_pending_calls_are_counted
                    r023_distant_calls_are_accepted
                    r031_a_failing_main_function_fails_the_run
                    r031_a_stop_before_the_result_gives_none
                    r031_the_main_function_stops_the_reactor
                ;
                threads:
                    r032_calls_from_a_thread_come_in_order_and_at_once
                    r033_calls_before_the_start_are_kept
                    r034_a_reactor_that_is_gone_says_so
                    r034_any_number_of_calls_may_be_outstanding
                    r035_a_panic_in_a_job_ends_the_job_only
                    r035_jobs_do_not_hold_up_the_sockets
                    r035_results_of_jobs_arrive
                    r036_a_blocking_call_waits_for_its_deferred
                    r037_a_stop_joins_the_threads
                    r037_jobs_wait_for_the_start_and_for_a_thread
                    r037_no_more_jobs_run_at_a_time_than_threads
                ;
                shutdown:
                    r001_a_stop_in_a_hook_counts_once
                    r003_it_runs_from_startup_to_the_end_of_shutdown
                    r005_a_hook_may_add_hooks
                    r006_shutdown_waits_for_every_hook
                    r008_a_hook_may_remove_a_later_one
                    r009_a_lost_connection_cannot_hold_the_stop
                    r031_an_exit_status_is_kept
                    r036_a_drop_lets_go_of_a_thread_that_waits
                    r036_a_question_that_panics_fails
                    r036_a_stop_lets_go_of_a_thread_that_waits
                    r037_a_job_after_the_stop_is_dropped
                    r037_a_hook_may_wait_for_a_job
                ;
                reactors:
                    r010_many_may_run_one_after_another
                    r010_one_may_run_inside_another
                    r010_several_may_live_side_by_side
                    r013_a_call_of_a_thread_that_panics_is_logged
                    r023_a_distant_call_alone_does_not_hold_up_the_sockets
                    r032_every_question_wakes_the_reactor
                    r033_calls_of_a_foreign_thread_are_kept_and_come_in_order
                    r035_results_come_on_the_reactors_thread
                ;
                connections:
                    r038_made_then_data_then_lost_once
                    r038_nothing_comes_after_lost
                    r039_the_protocol_is_told_before_the_factory_and_stop_comes_last
                    r040_a_name_not_found_is_a_failed_look_up
                    r040_a_refused_attempt_fails_and_is_not_lost
                    r040_an_attempt_given_up_is_cancelled
                    r040_an_attempt_that_takes_too_long_timed_out
                    r040_every_address_of_a_name_is_tried
                    r040_localhost_is_found
                    r041_connecting_again_after_a_failure_keeps_the_factory_started
                    r041_connecting_again_after_a_loss_keeps_the_factory_started
                    r042_a_factory_starts_once_and_stops_once
                    r043_a_client_that_builds_no_protocol_failed
                    r043_a_server_that_builds_no_protocol_closes
                    r048_reconnecting_ends_after_the_last_retry
                    r048_reconnecting_follows_a_lost_connection_and_counts_anew
                    r048_reconnecting_stops_for_good
                    r048_reconnecting_stops_for_good_while_connected
                    r049_a_one_shot_connect_fails_with_its_attempt
                    r049_a_one_shot_connect_fires_after_connection_made
                    r049_cancelling_a_one_shot_connect_ends_the_attempt
                ;
                multicast:
                    broadcast_reaches_all_and_must_be_allowed
                    multicast_options_can_be_set
                    multicast_reaches_the_members_of_a_group
                ;
                ports:
                    r044_listening_at_a_busy_address_fails_at_once
                    r044_listening_at_a_foreign_address_fails_at_once
                    r045_a_stopped_port_can_be_listened_at_again
                    r045_stopping_a_port_refuses_new_peers_and_keeps_the_old
                    r045_stopping_twice_is_harmless
                    r047_addresses_are_the_same_from_both_ends
                    r047_addresses_stay_after_the_end
                ;
                datagrams:
                    closures_are_lent_the_protocol_of_a_port
                    r009_a_stop_closes_datagram_ports
                    r045_a_closed_datagram_port_can_be_had_again
                    r085_a_flooded_port_starves_nobody
                    r085_a_longer_datagram_is_cut_to_the_limit
                    r085_a_panic_is_logged_and_the_port_lives_on
                    r085_a_paused_port_is_told_nothing
                    r085_a_protocol_is_started_and_stopped_once
                    r085_datagrams_come_in_order_where_none_is_lost
                    r085_each_datagram_comes_whole_with_its_sender
                    r086_what_cannot_be_sent_is_an_error_at_once
                    r087_a_connected_port_has_one_peer
                    r087_a_connected_port_is_told_that_nobody_listens
                    r087_an_unconnected_port_is_not_told
                ;
            }
        }
    };
}

/// Stamps what must hold for UNIX sockets on a driver that has them: their own rules, and all rules of streams over them.
///
/// ```
/// use ropewalk_sim::SimDriver;
/// use ropewalk_testing::conformance_unix;
/// use ropewalk_testing::conformance::Harness;
///
/// conformance_unix!(sim, Harness::new(SimDriver::alone));
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! conformance_unix {
    ($name:ident, $harness:expr) => {
        mod $name {
            #[allow(unused_imports, reason = "the expression may need nothing")]
            use super::*;

            fn harness() -> $crate::conformance::Harness {
                $harness.over_unix()
            }

            $crate::__stamp_streams! { harness }

            $crate::__stamp_rules! { harness =>
                unix:
                    r047_both_ends_of_a_unix_socket_know_its_path
                    r088_a_path_goes_with_its_port
                    r088_a_path_is_taken_once
                    r088_a_path_that_is_too_long_is_refused
                    r088_an_abstract_name_is_as_good_as_a_path
                    r089_a_descriptor_comes_before_the_bytes_written_after_it
                    r089_a_descriptor_that_cannot_be_sent_is_refused
                    r089_a_descriptor_without_a_byte_is_closed_at_the_end
                    r089_a_paused_receiver_is_told_nothing
                    r089_an_unwanted_descriptor_is_closed
                    r089_descriptors_keep_their_place_between_bytes
                    r114_a_handed_connection_loses_nothing
                    r114_a_handed_connection_may_be_refused
                ;
            }
        }
    };
}

/// Stamps what must hold for every kind of stream, layers included ([`Harness::over`](crate::conformance::Harness::over)).
///
/// ```
/// use ropewalk_sim::SimDriver;
/// use ropewalk_testing::conformance::Harness;
/// use ropewalk_testing::conformance_streams;
///
/// conformance_streams!(plain, Harness::new(SimDriver::alone).over(|server| server, |client| client));
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! conformance_streams {
    ($name:ident, $harness:expr) => {
        mod $name {
            #[allow(unused_imports, reason = "the expression may need nothing")]
            use super::*;

            fn harness() -> $crate::conformance::Harness {
                $harness
            }

            $crate::__stamp_streams! { harness }
        }
    };
}

/// Stamps what must hold for child processes on a driver that has them.
///
/// It needs a real kernel and `/bin/sh`, so no example can run here; write as with
/// [`conformance!`](crate::conformance!): `conformance_processes!(mio, Harness::new(…));`.
#[macro_export]
macro_rules! conformance_processes {
    ($name:ident, $harness:expr) => {
        mod $name {
            #[allow(unused_imports, reason = "the expression may need nothing")]
            use super::*;

            fn harness() -> $crate::conformance::Harness {
                $harness
            }

            $crate::__stamp_rules! { harness =>
                processes:
                    r014_a_panic_closes_the_pipes_of_its_child_only
                    r063_pipes_have_back_pressure
                    r090_a_child_needs_no_pipes
                    r090_a_closed_stdin_is_noticed
                    r090_an_end_says_how
                    r090_an_exit_is_told_while_a_grandchild_holds_the_pipes
                    r090_children_end_with_their_scope
                    r090_output_is_gathered_up_to_a_limit
                    r090_the_end_waits_for_the_exit
                    r091_a_child_gets_what_it_was_given
                    r091_pipes_lie_on_any_descriptor
                    r091_what_cannot_be_started_says_why
                    r092_a_child_can_be_signalled
                    r092_signalling_who_exited_is_an_error
                    r108_a_child_is_an_endpoint
                ;
            }
        }
    };
}

/// Makes the tests of the rules that hold for every kind of stream.
#[doc(hidden)]
#[macro_export]
macro_rules! __stamp_streams {
    ($harness:ident) => {
        $crate::__stamp_rules! { $harness =>
            streams:
                r050_a_write_never_calls_back
                r050_bytes_come_in_the_order_of_writes
                r051_lose_connection_sends_everything_first
                r051_lose_connection_waits_for_a_slow_peer
                r052_nothing_is_delivered_after_lose_connection
                r053_writes_after_lose_connection_are_dropped
                r054_a_handle_does_nothing_after_the_end
                r055_lost_is_never_told_inside_a_call
                r055_lost_is_not_told_inside_lose_connection_after_half_closing
                r056_an_abort_drops_what_is_queued_and_resets_the_peer
                r056_nothing_is_delivered_after_an_abort
                r057_aborting_twice_is_one_end
                r058_three_ends_have_three_reasons
            ;
            half_close:
                r059_half_closing_sends_everything_and_goes_on_reading
                r060_after_the_peers_half_close_writing_goes_on
                r061_an_unhandled_half_close_still_sends_what_is_queued
                r062_a_panic_at_the_half_close_ends_the_connection
                r062_both_may_half_close
                r062_two_closed_halves_are_an_end
                r063_a_paused_reader_blocks_the_writer
                r063_a_writer_that_is_blocked_does_not_read
                r063_pausing_from_elsewhere_stops_delivery
                r063_pausing_in_connection_made_stops_the_first_byte
                r063_pausing_within_a_batch_stops_delivery
                r063_pausing_stops_delivery_and_loses_nothing
                r063_resuming_delivers_later
                r064_a_paused_connection_can_be_closed
                r064_a_paused_connection_hears_of_its_end_when_resumed
                r065_options_are_set_and_read_back
            ;
            producers:
                r066_a_push_producer_is_paused_and_resumed
                r066_a_push_producer_that_obeys_gathers_little
                r067_a_pull_producer_is_asked_when_the_queue_is_empty
                r067_a_pull_producer_waits_for_the_peer
                r068_a_second_producer_is_an_error
                r069_losing_the_connection_stops_the_producer_once
                r069_registering_on_a_closed_transport_stops_the_producer_once
                r070_an_end_with_a_reason_waits_for_no_producer
                r070_lose_connection_waits_for_the_producer
                r070_unregistering_lets_the_connection_end
                r071_a_producer_may_be_replaced_inside_its_resume
                r071_a_producer_may_fill_the_queue_inside_its_resume
                r072_a_file_is_sent_on_demand
                r072_sending_a_file_fails_if_stopped
            ;
            files:
                r160_a_file_is_closed_when_the_peer_leaves
                r160_a_file_that_became_shorter_cuts_the_connection
                r160_a_file_that_cannot_be_read_cuts_the_connection
                r160_a_slow_peer_gets_a_file_whole
                r160_files_come_in_the_order_of_writes
            ;
        }
    };
}

/// Makes the tests of [`conformance!`].
#[doc(hidden)]
#[macro_export]
macro_rules! __stamp_rules {
    ($harness:ident => $($section:ident: $($rule:ident)*;)*) => {
        $($(
            #[test]
            fn $rule() {
                $crate::conformance::run(&$harness(), $crate::conformance::$section::$rule);
            }
        )*)*
    };
}

#[cfg(test)]
mod tests {
    /// A rule that nobody stamps is not checked.
    #[test]
    fn every_rule_is_stamped() {
        let sections = [
            include_str!("connections.rs"),
            include_str!("datagrams.rs"),
            include_str!("files.rs"),
            include_str!("multicast.rs"),
            include_str!("life_cycle.rs"),
            include_str!("ports.rs"),
            include_str!("processes.rs"),
            include_str!("producers.rs"),
            include_str!("reactors.rs"),
            include_str!("shutdown.rs"),
            include_str!("half_close.rs"),
            include_str!("streams.rs"),
            include_str!("threads.rs"),
            include_str!("time.rs"),
            include_str!("unix.rs"),
        ];
        let list = include_str!("stamp.rs");
        for line in sections.iter().flat_map(|section| section.lines()) {
            if let Some(rule) = line.strip_prefix("pub fn ") {
                let rule = rule.split('(').next().unwrap_or(rule);
                assert!(
                    list.contains(&format!(" {rule}\n")),
                    "{rule} is not in the list of stamp.rs"
                );
            }
        }
    }
}
