ALTER TABLE `grants` ADD `removed_at` integer;--> statement-breakpoint
ALTER TABLE `grants` ADD `signed_out` text;