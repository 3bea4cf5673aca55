ALTER TABLE `grants` ADD `extending` text;--> statement-breakpoint
ALTER TABLE `memberships` ADD `native_expiry_at` integer;--> statement-breakpoint
ALTER TABLE `memberships` ADD `native_expiry_sent` integer;--> statement-breakpoint
ALTER TABLE `memberships` ADD `native_expiry_outcome` text;