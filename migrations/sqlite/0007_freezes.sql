CREATE TABLE `freeze_head` (
	`id` integer PRIMARY KEY NOT NULL,
	`version` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `freezes` (
	`id` text PRIMARY KEY NOT NULL,
	`version` integer NOT NULL,
	`scope` text NOT NULL,
	`name` text NOT NULL,
	`reason` text NOT NULL,
	`by` text NOT NULL,
	`at` integer NOT NULL,
	`lifted_at` integer,
	`lifted_by` text
);
--> statement-breakpoint
CREATE INDEX `freezes_live` ON `freezes` (`at`) WHERE lifted_at is null;
--> statement-breakpoint
INSERT INTO freeze_head (id, version) VALUES (1, 0);
