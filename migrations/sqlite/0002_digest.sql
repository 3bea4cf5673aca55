CREATE TABLE `digests` (
	`day` text PRIMARY KEY NOT NULL,
	`from_at` integer NOT NULL,
	`to_at` integer NOT NULL,
	`made_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `digests_by_end` ON `digests` (`to_at`);--> statement-breakpoint
CREATE INDEX `grants_by_approval` ON `grants` (`approved_at`);--> statement-breakpoint
CREATE INDEX `grants_by_ending` ON `grants` (`ending_at`) WHERE ending_at is not null;--> statement-breakpoint
CREATE INDEX `grants_by_end` ON `grants` (`ended_at`) WHERE ended_at is not null;--> statement-breakpoint
CREATE INDEX `requests_decided` ON `requests` (`decided_at`) WHERE decided_at is not null;