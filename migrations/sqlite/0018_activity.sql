CREATE TABLE `activities` (
	`source` text NOT NULL,
	`uid` text NOT NULL,
	`grant_id` text NOT NULL,
	`fit` text NOT NULL,
	`kind` text NOT NULL,
	`at` integer NOT NULL,
	`received_at` integer NOT NULL,
	`content` text NOT NULL,
	PRIMARY KEY(`source`, `uid`)
);
--> statement-breakpoint
CREATE INDEX `activities_by_grant` ON `activities` (`grant_id`,`at`);--> statement-breakpoint
CREATE INDEX `activities_by_receipt` ON `activities` (`received_at`);--> statement-breakpoint
CREATE TABLE `findings` (
	`id` text PRIMARY KEY NOT NULL,
	`version` integer NOT NULL,
	`state` text NOT NULL,
	`grant_id` text NOT NULL,
	`rule` text NOT NULL,
	`created_at` integer NOT NULL,
	`content` text NOT NULL
);
--> statement-breakpoint
CREATE INDEX `findings_by_grant` ON `findings` (`grant_id`,`created_at`);--> statement-breakpoint
CREATE INDEX `findings_by_creation` ON `findings` (`created_at`);--> statement-breakpoint
CREATE UNIQUE INDEX `findings_one_open` ON `findings` (`grant_id`,`rule`) WHERE state <> 'dismissed' and state <> 'revoked';--> statement-breakpoint
CREATE TABLE `grant_uses` (
	`grant_id` text PRIMARY KEY NOT NULL,
	`version` integer NOT NULL,
	`person` text NOT NULL,
	`first_at` integer NOT NULL,
	`content` text NOT NULL
);
--> statement-breakpoint
CREATE INDEX `grant_uses_by_person` ON `grant_uses` (`person`,`first_at`);--> statement-breakpoint
CREATE TABLE `source_cursors` (
	`source` text PRIMARY KEY NOT NULL,
	`version` integer NOT NULL,
	`cursor` text NOT NULL,
	`read_at` integer NOT NULL
);
