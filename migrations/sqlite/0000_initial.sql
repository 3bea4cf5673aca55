CREATE TABLE `account_pins` (
	`platform` text NOT NULL,
	`tenant` text NOT NULL,
	`account_id` text NOT NULL,
	`person` text NOT NULL,
	`pinned_at` integer NOT NULL,
	PRIMARY KEY(`platform`, `tenant`, `account_id`)
);
--> statement-breakpoint
CREATE INDEX `account_pins_by_person` ON `account_pins` (`person`,`platform`,`pinned_at`);--> statement-breakpoint
CREATE TABLE `approvals` (
	`request_id` text NOT NULL,
	`approver` text NOT NULL,
	`digest` text NOT NULL,
	`approver_name` text NOT NULL,
	`answer` text NOT NULL,
	`reason` text,
	`at` integer NOT NULL,
	PRIMARY KEY(`request_id`, `approver`, `digest`),
	FOREIGN KEY (`request_id`) REFERENCES `requests`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE TABLE `audit_events` (
	`seq` integer PRIMARY KEY NOT NULL,
	`prev_hash` text NOT NULL,
	`hash` text NOT NULL,
	`canonical` text NOT NULL,
	`at` integer NOT NULL,
	`kind` text NOT NULL,
	`actor` text NOT NULL,
	`request_id` text,
	`grant_id` text
);
--> statement-breakpoint
CREATE INDEX `audit_events_by_request` ON `audit_events` (`request_id`,`seq`);--> statement-breakpoint
CREATE INDEX `audit_events_by_grant` ON `audit_events` (`grant_id`,`seq`);--> statement-breakpoint
CREATE INDEX `audit_events_by_time` ON `audit_events` (`at`);--> statement-breakpoint
CREATE TABLE `audit_personal` (
	`seq` integer NOT NULL,
	`field` text NOT NULL,
	`salt` text NOT NULL,
	`text` text NOT NULL,
	PRIMARY KEY(`seq`, `field`),
	FOREIGN KEY (`seq`) REFERENCES `audit_events`(`seq`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE TABLE `cards` (
	`id` text PRIMARY KEY NOT NULL,
	`request_id` text NOT NULL,
	`digest` text NOT NULL,
	`created_at` integer NOT NULL,
	FOREIGN KEY (`request_id`) REFERENCES `requests`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `cards_by_request` ON `cards` (`request_id`);--> statement-breakpoint
CREATE TABLE `chain_head` (
	`id` integer PRIMARY KEY NOT NULL,
	`seq` integer NOT NULL,
	`hash` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `deliveries` (
	`key` text PRIMARY KEY NOT NULL,
	`received_at` integer NOT NULL,
	`body` text NOT NULL,
	`lease_until` integer NOT NULL,
	`attempts` integer NOT NULL,
	`answered_at` integer
);
--> statement-breakpoint
CREATE INDEX `deliveries_unanswered` ON `deliveries` (`lease_until`) WHERE answered_at is null;--> statement-breakpoint
CREATE INDEX `deliveries_answered` ON `deliveries` (`answered_at`) WHERE answered_at is not null;--> statement-breakpoint
CREATE TABLE `grant_memberships` (
	`grant_id` text NOT NULL,
	`directory` text NOT NULL,
	`group_id` text NOT NULL,
	`user_id` text NOT NULL,
	PRIMARY KEY(`directory`, `group_id`, `user_id`, `grant_id`),
	FOREIGN KEY (`grant_id`) REFERENCES `grants`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `grant_memberships_by_grant` ON `grant_memberships` (`grant_id`);--> statement-breakpoint
CREATE TABLE `grants` (
	`id` text PRIMARY KEY NOT NULL,
	`version` integer NOT NULL,
	`request_id` text NOT NULL,
	`state` text NOT NULL,
	`holder` text NOT NULL,
	`holder_name` text NOT NULL,
	`entitlement` text NOT NULL,
	`memberships` text NOT NULL,
	`duration_ms` integer NOT NULL,
	`max_ms` integer NOT NULL,
	`warn_before_ms` integer NOT NULL,
	`session_tail_ms` integer NOT NULL,
	`approved_at` integer NOT NULL,
	`add_by` integer NOT NULL,
	`hard_end_at` integer NOT NULL,
	`starts_at` integer,
	`expires_at` integer,
	`end_reason` text,
	`ending_at` integer,
	`ended_at` integer,
	`ended_by` text,
	`end_note` text,
	FOREIGN KEY (`request_id`) REFERENCES `requests`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `grants_one_per_request` ON `grants` (`request_id`);--> statement-breakpoint
CREATE INDEX `grants_by_holder` ON `grants` (`holder`,`entitlement`,`state`);--> statement-breakpoint
CREATE INDEX `grants_unended` ON `grants` (`state`) WHERE state <> 'ended';--> statement-breakpoint
CREATE TABLE `group_pins` (
	`directory` text NOT NULL,
	`group_name` text NOT NULL,
	`group_id` text NOT NULL,
	`pinned_at` integer NOT NULL,
	PRIMARY KEY(`directory`, `group_name`)
);
--> statement-breakpoint
CREATE TABLE `jobs` (
	`id` text PRIMARY KEY NOT NULL,
	`kind` text NOT NULL,
	`lane` text NOT NULL,
	`priority` integer NOT NULL,
	`due_at` integer NOT NULL,
	`payload` text NOT NULL,
	`version` integer NOT NULL,
	`epoch` integer NOT NULL,
	`lease_until` integer,
	`attempts` integer NOT NULL,
	`last_error` text
);
--> statement-breakpoint
CREATE INDEX `jobs_due` ON `jobs` (`kind`,`due_at`);--> statement-breakpoint
CREATE INDEX `jobs_leased` ON `jobs` (`kind`,`lease_until`) WHERE lease_until is not null;--> statement-breakpoint
CREATE TABLE `memberships` (
	`directory` text NOT NULL,
	`group_id` text NOT NULL,
	`user_id` text NOT NULL,
	`version` integer NOT NULL,
	`group_name` text NOT NULL,
	`login` text NOT NULL,
	`origin` text NOT NULL,
	`add_started_at` integer,
	`add_deadline_at` integer,
	`add_outcome` text,
	`add_attempts` integer NOT NULL,
	`add_unknown_until` integer,
	`remove_started_at` integer,
	`remove_deadline_at` integer,
	`remove_outcome` text,
	`remove_accepted_at` integer,
	`seen` text,
	`seen_at` integer,
	`missing_since_at` integer,
	`proven_absent_at` integer,
	`failures` integer NOT NULL,
	`last_error` text,
	`last_error_code` text,
	PRIMARY KEY(`directory`, `group_id`, `user_id`)
);
--> statement-breakpoint
CREATE INDEX `memberships_ours` ON `memberships` (`origin`) WHERE origin = 'ours';--> statement-breakpoint
CREATE TABLE `messages` (
	`id` text PRIMARY KEY NOT NULL,
	`request_id` text NOT NULL,
	`state` text NOT NULL,
	`conversation` text,
	`ts` text,
	`shown` text,
	`at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `requests` (
	`id` text PRIMARY KEY NOT NULL,
	`version` integer NOT NULL,
	`state` text NOT NULL,
	`requester` text NOT NULL,
	`requester_name` text NOT NULL,
	`requester_account` text,
	`requester_zone` text,
	`users` text NOT NULL,
	`entitlement` text NOT NULL,
	`resource` text NOT NULL,
	`role` text NOT NULL,
	`title` text NOT NULL,
	`groups` text NOT NULL,
	`duration_ms` integer NOT NULL,
	`reason` text NOT NULL,
	`policy_name` text NOT NULL,
	`policy_hash` text NOT NULL,
	`approvals_needed` integer NOT NULL,
	`extends_grant` text,
	`digest` text NOT NULL,
	`card_id` text NOT NULL,
	`created_at` integer NOT NULL,
	`lapses_at` integer NOT NULL,
	`decided_at` integer,
	`closed_by` text,
	`closed_note` text,
	`audiences` text NOT NULL
);
--> statement-breakpoint
CREATE INDEX `requests_by_requester` ON `requests` (`requester`,`entitlement`,`state`);--> statement-breakpoint
CREATE INDEX `requests_newest` ON `requests` (`created_at`);--> statement-breakpoint
CREATE INDEX `requests_pending` ON `requests` (`lapses_at`) WHERE state = 'pending';--> statement-breakpoint
CREATE INDEX `requests_extending` ON `requests` (`extends_grant`) WHERE extends_grant is not null;